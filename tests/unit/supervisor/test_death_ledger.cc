#include <doctest/doctest.h>

#include <vector>

#include "supervisor/death_ledger.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

proto::Death death(std::uint32_t worker) {
  proto::Death made;
  made.app = 7;
  made.generation = 2;
  made.worker = worker;
  made.at_ms = 1000;
  return made;
}

struct Sent {
  std::vector<std::uint32_t> workers;
  void operator()(const DeathLedger::Entry& entry) {
    if (const auto* one = std::get_if<proto::Death>(&entry)) workers.push_back(one->worker);
    if (const auto* one = std::get_if<proto::HostDeath>(&entry)) workers.push_back(1000 + one->number);
  }
};

}  // namespace

TEST_CASE("a death is sent at once and repeated in order until it is stored") {
  Sent sent;
  DeathLedger ledger(std::ref(sent));
  ledger.add(death(1));
  ledger.add(death(2));
  ledger.add(proto::HostDeath{proto::HostProcess::kGateway, 3, 1, proto::Cause::kSignal, 9, 1000});
  CHECK(sent.workers == std::vector<std::uint32_t>{1, 2, 1003});
  ledger.on_stored({7, 2, 1, 1000});
  ledger.on_stored({0, 0, 3, 1000});
  sent.workers.clear();
  ledger.repeat();
  CHECK(sent.workers == std::vector<std::uint32_t>{2});
}

TEST_CASE("what control never had, or has said before, changes nothing") {
  Sent sent;
  DeathLedger ledger(std::ref(sent));
  ledger.add(death(1));
  ledger.on_stored({7, 2, 1, 1001});
  ledger.on_stored({7, 3, 1, 1000});
  CHECK(ledger.size() == 1);
  ledger.on_stored({7, 2, 1, 1000});
  ledger.on_stored({7, 2, 1, 1000});
  CHECK(ledger.size() == 0);
}

TEST_CASE("a ledger that nobody empties has a cap") {
  Sent sent;
  DeathLedger ledger(std::ref(sent));
  for (std::uint32_t worker = 0; worker < DeathLedger::kMaxEntries + 10; ++worker) ledger.add(death(worker));
  CHECK(ledger.size() == DeathLedger::kMaxEntries);
  sent.workers.clear();
  ledger.repeat();
  CHECK(sent.workers.front() == 10);
}
