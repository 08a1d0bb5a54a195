#include <doctest/doctest.h>

#include "control/inquiries.h"

using namespace rowhouse;
using namespace rowhouse::control;
using namespace std::chrono_literals;

namespace {

struct Sent final : InquirySender {
  void send_query(const proto::Query& query) override { queries.push_back(query); }
  void send_command(const proto::Command& command) override { commands.push_back(command); }
  void send_reload(const proto::ReloadOrder& order) override { reloads.push_back(order); }
  void send_reload_tenant(const proto::ReloadTenantOrder& order) override { tenant_reloads.push_back(order); }
  void send_upgrade(const proto::UpgradeOrder& order) override { upgrades.push_back(order); }
  std::vector<proto::ReloadOrder> reloads;
  std::vector<proto::ReloadTenantOrder> tenant_reloads;
  std::vector<proto::UpgradeOrder> upgrades;
  std::vector<proto::Query> queries;
  std::vector<proto::Command> commands;
};

proto::AppInfo app_info(std::uint32_t request, std::uint32_t app) {
  proto::AppInfo info;
  info.request = request;
  info.app = app;
  return info;
}

}  // namespace

TEST_CASE("a query is collected over its pages") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  std::vector<AppStatus> found;
  StatusFound status;
  inquiries.query(1, "acme", "",
                  [&](const auto& answer) { found = answer.value().apps, status = answer.value(); });
  REQUIRE(sent.queries.size() == 1);
  const std::uint32_t request = sent.queries[0].request;
  inquiries.on_app_info(app_info(request, 3));
  proto::WorkerInfo worker;
  worker.request = request;
  worker.app = 3;
  inquiries.on_worker_info(worker);
  worker.app = 99;
  inquiries.on_worker_info(worker);
  inquiries.on_app_usage({request, 3, {.memory_bytes = 5}});
  inquiries.on_app_usage({request, 99, {.memory_bytes = 6}});
  inquiries.on_tenant_usage({request, proto::Name::cut("acme"), proto::Name::cut("p"), {.memory_bytes = 7}});
  inquiries.on_query_end({request, 3});
  REQUIRE(sent.queries.size() == 2);
  CHECK(sent.queries[1].after_app == 3);
  CHECK(sent.queries[1].request == request);
  inquiries.on_app_info(app_info(request, 4));
  inquiries.on_query_end({request, 0});
  REQUIRE(found.size() == 2);
  CHECK(found[0].workers.size() == 1);
  REQUIRE(found[0].usage);
  CHECK(found[0].usage->memory_bytes == 5);
  CHECK_FALSE(found[1].usage);
  CHECK(status.tenants.at("acme").usage.memory_bytes == 7);
}

TEST_CASE("a reload of one tenant is collected with what became of its apps") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  std::vector<ReloadFound> answers;
  inquiries.reload_tenant("acme", Inquiries::TenantScope::kManifest,
                          [&](const auto& found) { answers.push_back(found.value()); });
  REQUIRE(sent.tenant_reloads.size() == 1);
  CHECK_FALSE(sent.tenant_reloads[0].with_file);
  const std::uint32_t request = sent.tenant_reloads[0].request;
  inquiries.on_tenant_change({request + 1, {}, {}, proto::TenantChangeKind::kAppAdded});
  inquiries.on_tenant_change({request, {}, {}, proto::TenantChangeKind::kAppRestarts});
  inquiries.on_reload_done({request, proto::CommandOutcome::kDone, 0}, {});
  REQUIRE(answers.size() == 1);
  REQUIRE(answers[0].tenants.size() == 1);
  CHECK(answers[0].tenants[0].kind == proto::TenantChangeKind::kAppRestarts);
}

TEST_CASE("what one tenant asked for is asked again of a new supervisor for that tenant alone") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  inquiries.reload_tenant("acme", Inquiries::TenantScope::kManifest, [](const auto&) {});
  inquiries.repeat();
  CHECK(sent.reloads.empty());
  REQUIRE(sent.tenant_reloads.size() == 2);
  CHECK(sent.tenant_reloads[1].request == sent.tenant_reloads[0].request);
  CHECK(sent.tenant_reloads[1].tenant.view() == "acme");
  CHECK_FALSE(sent.tenant_reloads[1].with_file);
}

TEST_CASE("a reload is collected and answered once, with its changes or its sentences") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  std::vector<ReloadFound> answers;
  inquiries.reload([&](const auto& found) { answers.push_back(found.value()); });
  REQUIRE(sent.reloads.size() == 1);
  const std::uint32_t request = sent.reloads[0].request;
  inquiries.on_reload_change(
      {request + 1, {}, {}, proto::ConfigKey::kCpu, proto::ReloadEffect::kAppliedLive});
  inquiries.on_reload_change({request, {}, {}, proto::ConfigKey::kMemory, proto::ReloadEffect::kNotApplied});
  inquiries.on_reload_done({request, proto::CommandOutcome::kDone, 1}, {});
  inquiries.on_reload_done({request, proto::CommandOutcome::kDone, 1}, {});
  REQUIRE(answers.size() == 1);
  REQUIRE(answers[0].changes.size() == 1);
  CHECK(answers[0].changes[0].key == proto::ConfigKey::kMemory);
  int given_up = 0;
  inquiries.reload([&](const auto& found) { given_up += found ? 0 : 1; });
  clock.advance(Inquiries::kReloadDeadline);
  inquiries.sweep();
  CHECK(given_up == 1);
}

TEST_CASE("pages that do not go forward end the query") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  int answers = 0;
  inquiries.query(1, "", "", [&](auto) { ++answers; });
  inquiries.on_query_end({sent.queries[0].request, 5});
  inquiries.on_query_end({sent.queries[0].request, 5});
  CHECK(answers == 1);
  CHECK(sent.queries.size() == 2);
}

TEST_CASE(
    "the supervisor has only so many queries before it, and those of clients that have gone are never "
    "asked") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  int answers = 0;
  for (std::uint64_t client = 0; client < 1000; ++client) {
    inquiries.query(client, "", "", [&](auto) { ++answers; });
    if (client >= 10) inquiries.forget_client(client);
  }
  CHECK(sent.queries.size() == Inquiries::kMaxRunningQueries);
  for (std::size_t i = 0; i < sent.queries.size(); ++i) inquiries.on_query_end({sent.queries[i].request, 0});
  CHECK(answers == 10);
}

TEST_CASE("what the supervisor does not answer in time is given up, and later answers are ignored") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  int given_up = 0;
  inquiries.query(1, "", "", [&](auto apps) { given_up += apps ? 0 : 1; });
  inquiries.command(7, proto::CommandKind::kStop, [&](auto done) { given_up += done ? 0 : 1; });
  clock.advance(Inquiries::kQueryDeadline - 1us);
  inquiries.sweep();
  CHECK(given_up == 0);
  clock.advance(1us);
  inquiries.sweep();
  CHECK(given_up == 1);
  clock.advance(Inquiries::kCommandDeadline);
  inquiries.sweep();
  CHECK(given_up == 2);
  inquiries.on_query_end({sent.queries[0].request, 0});
  inquiries.on_command_done(
      {sent.commands[0].request, proto::CommandOutcome::kDone, 0, 0, proto::Cause::kNone, 0});
  CHECK(given_up == 2);
}

TEST_CASE("an answer may ask the next question") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  inquiries.query(1, "", "", [&](auto) { inquiries.command(1, proto::CommandKind::kStart, [](auto) {}); });
  inquiries.on_query_end({sent.queries[0].request, 0});
  CHECK(sent.commands.size() == 1);
}

TEST_CASE("what is not answered is asked again under its number, and answered once") {
  Sent sent;
  ManualClock clock;
  Inquiries inquiries(sent, clock);
  std::vector<AppStatus> found;
  int commands = 0, upgrades = 0;
  inquiries.query(1, "acme", "", [&](const auto& answer) { found = answer.value().apps; });
  inquiries.command(7, proto::CommandKind::kRestart, [&](const auto&) { ++commands; });
  inquiries.upgrade([&](const auto&) { ++upgrades; });
  inquiries.on_app_info(app_info(sent.queries[0].request, 3));

  inquiries.repeat();
  REQUIRE(sent.queries.size() == 2);
  CHECK(sent.queries[1].request == sent.queries[0].request);
  REQUIRE(sent.commands.size() == 2);
  CHECK(sent.commands[1].request == sent.commands[0].request);
  CHECK(sent.commands[1].app == 7);
  REQUIRE(sent.upgrades.size() == 2);

  // The first page of the former answer counts for nothing.
  inquiries.on_app_info(app_info(sent.queries[1].request, 3));
  inquiries.on_query_end({sent.queries[1].request, 0});
  CHECK(found.size() == 1);
  for (int i = 0; i < 2; ++i) {
    inquiries.on_command_done({.request = sent.commands[0].request});
    inquiries.on_upgrade_done({.request = sent.upgrades[0].request});
  }
  CHECK(commands == 1);
  CHECK(upgrades == 1);
  inquiries.repeat();
  CHECK(sent.commands.size() == 2);
}
