// A tenant's rate over its apps and over all gateways, in virtual time.
#include <doctest/doctest.h>

#include <memory>

#include "gateway/client_counts.h"
#include "gateway/tenant_rate.h"

namespace rowhouse::gateway {
namespace {

using namespace std::chrono_literals;

struct Table {
  std::unique_ptr<proto::AppCell[]> cells = std::make_unique<proto::AppCell[]>(4);
  // App `row` as gateway `own` of two sees it.
  AppShare share(std::size_t row, std::uint32_t own) { return {cells.get() + 2 * row, own, 2}; }
};

int admitted(TenantRate& rate, std::uint32_t app, Instant now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += rate.admit(app, now) ? 1 : 0;
  return count;
}

TEST_CASE("a second's worth at once, then as many as the time brings") {
  Table table;
  TenantRate rate;
  rate.set_rate(10);
  rate.set_app(7, table.share(0, 0));
  const Instant start{1s};
  CHECK(admitted(rate, 7, start, 50) == 10);
  CHECK(admitted(rate, 7, start + 500ms, 50) == 5);
  CHECK(admitted(rate, 7, start + 10s, 50) == 10);
  rate.set_rate(0);
  CHECK(admitted(rate, 7, start + 10s, 50) == 50);
}

TEST_CASE("all apps of the tenant and all gateways share it") {
  Table table;
  TenantRate here, there;
  for (TenantRate* rate : {&here, &there}) {
    rate->set_rate(10);
    const std::uint32_t own = rate == &here ? 0 : 1;
    rate->set_app(7, table.share(0, own));
    rate->set_app(8, table.share(1, own));
  }
  const Instant start{1s};
  CHECK(here.admit(7, start));
  CHECK(there.admit(8, start));
  CHECK(admitted(here, 7, start, 5) == 5);
  CHECK(admitted(there, 8, start, 50) == 4);
  CHECK(admitted(here, 8, start, 50) == 0);
}

TEST_CASE("a gateway that died leaves the others a sound bucket") {
  Table table;
  TenantRate rate;
  rate.set_rate(10);
  rate.set_app(7, table.share(0, 0));
  const Instant start{1s};
  table.cells[1].admitted.store(1000);
  CHECK(admitted(rate, 7, start, 50) == 10);
  table.cells[1].admitted.store(0);
  CHECK(admitted(rate, 7, start + 1s, 50) == 10);
}

TEST_CASE("a client that sends thirty times what is no HTTP is barred for a minute, and this host never is") {
  ClientPenalties penalties;
  const Instant start{1s};
  for (int i = 0; i < 29; ++i) penalties.note_fault(5, start);
  CHECK_FALSE(penalties.is_barred(5, start));
  penalties.note_fault(5, start);
  CHECK(penalties.is_barred(5, start + 59s));
  CHECK_FALSE(penalties.is_barred(5, start + 61s));
  CHECK_FALSE(penalties.is_barred(6, start));
  for (int i = 0; i < 29; ++i) penalties.note_fault(6, start + i * 10s);
  CHECK_FALSE(penalties.is_barred(6, start + 280s));
  for (int i = 0; i < 100; ++i) penalties.note_fault(0, start);
  CHECK_FALSE(penalties.is_barred(0, start));
}

}  // namespace
}  // namespace rowhouse::gateway
