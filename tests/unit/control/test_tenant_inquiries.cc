// Orders about tenants that wait for the supervisor, in virtual time; and the operations that follow them.
#include <doctest/doctest.h>

#include "control/operations.h"
#include "control/tenant_inquiries.h"
#include "control/tenant_json.h"

using namespace rowhouse;
using namespace rowhouse::control;

namespace {

struct Recorder final : TenantOrderSender {
  std::vector<TenantDraftText> drafts;
  std::vector<proto::TenantRemoval> removals;
  std::vector<proto::TenantQuery> queries;
  std::vector<proto::ManifestOrder> manifests;
  void send_draft(const TenantDraftText& draft) override { drafts.push_back(draft); }
  void send_removal(const proto::TenantRemoval& removal) override { removals.push_back(removal); }
  void send_tenant_query(const proto::TenantQuery& query) override { queries.push_back(query); }
  void send_manifest(const proto::ManifestOrder& order, int) override { manifests.push_back(order); }
};

struct Desk {
  Recorder sent;
  ManualClock clock;
  TenantInquiries inquiries{sent, clock};
  std::vector<std::optional<TenantOrderFound>> answers;
  TenantOrderAnswer keep() {
    return [this](std::optional<TenantOrderFound> found) { answers.push_back(std::move(found)); };
  }
};

TenantDraftText draft() {
  TenantDraftText text;
  text.draft.tenant = proto::Name::cut("acme");
  text.domains.push_back({0, proto::Host::cut("acme.test"), true});
  return text;
}

}  // namespace

TEST_CASE("an order has one number in all its messages, and its answer what belongs to it") {
  Desk desk;
  REQUIRE(desk.inquiries.write(draft(), desk.keep()));
  REQUIRE(desk.sent.drafts.size() == 1);
  const std::uint32_t request = desk.sent.drafts[0].draft.request;
  CHECK(request >= TenantInquiries::kFirstRequest);
  CHECK(desk.sent.drafts[0].domains[0].request == request);
  desk.inquiries.on_change({request, {}, proto::Name::cut("acme"), proto::ConfigKey::kPlan, {}});
  desk.inquiries.on_change({request + 1, {}, {}, {}, {}});
  desk.inquiries.on_written({request, proto::CommandOutcome::kDone, true, {}, 0}, {});
  REQUIRE(desk.answers.size() == 1);
  CHECK(desk.answers[0]->changes.size() == 1);
  CHECK(desk.answers[0]->done.created);
  desk.inquiries.on_written({request, proto::CommandOutcome::kDone, true, {}, 0}, {});
  CHECK(desk.answers.size() == 1);
}

TEST_CASE("some run at a time, removals keep nobody waiting, and the queue has an end") {
  Desk desk;
  for (int i = 0; i < 20; ++i) REQUIRE(desk.inquiries.remove("acme", desk.keep()));
  CHECK(desk.sent.removals.size() == 20);
  for (std::size_t i = 0; i < TenantInquiries::kMaxRunning + TenantInquiries::kMaxWaiting; ++i) {
    REQUIRE(desk.inquiries.write(draft(), desk.keep()));
  }
  CHECK(desk.sent.drafts.size() == TenantInquiries::kMaxRunning);
  CHECK_FALSE(desk.inquiries.write(draft(), desk.keep()));
  desk.inquiries.on_written({desk.sent.drafts[0].draft.request, {}, false, {}, 0}, {});
  CHECK(desk.sent.drafts.size() == TenantInquiries::kMaxRunning + 1);
}

TEST_CASE("a new supervisor is asked again, and a removal that its predecessor carried out is done") {
  Desk desk;
  REQUIRE(desk.inquiries.write(draft(), desk.keep()));
  REQUIRE(desk.inquiries.remove("globex", desk.keep()));
  desk.inquiries.repeat();
  REQUIRE(desk.sent.drafts.size() == 2);
  CHECK(desk.sent.drafts[0].draft.request == desk.sent.drafts[1].draft.request);
  desk.inquiries.on_written({desk.sent.removals[0].request, proto::CommandOutcome::kNotFound, false, {}, 0}, {});
  REQUIRE(desk.answers.size() == 1);
  CHECK(desk.answers[0]->done.outcome == proto::CommandOutcome::kDone);
  REQUIRE(desk.inquiries.remove("nobody", desk.keep()));
  desk.inquiries.on_written({desk.sent.removals.back().request, proto::CommandOutcome::kNotFound, false, {}, 0}, {});
  CHECK(desk.answers[1]->done.outcome == proto::CommandOutcome::kNotFound);
}

TEST_CASE("what is not answered in its time is given up, once") {
  Desk desk;
  REQUIRE(desk.inquiries.write(draft(), desk.keep()));
  desk.clock.advance(TenantInquiries::kOrderDeadline);
  desk.inquiries.sweep();
  REQUIRE(desk.answers.size() == 1);
  CHECK_FALSE(desk.answers[0]);
  desk.inquiries.on_written({desk.sent.drafts[0].draft.request, {}, false, {}, 0}, {});
  desk.inquiries.sweep();
  CHECK(desk.answers.size() == 1);
}

TEST_CASE("a refusal points to the field that the supervisor or the loader names") {
  TenantOrderFound found;
  found.done = {0, proto::CommandOutcome::kFailed, false, proto::TenantKey::kDomains, 3};
  found.sentences = {"domain x belongs to somebody"};
  CHECK(refusal_of(found, "acme").pointer == "/domains/3");
  found.done.key = proto::TenantKey::kNone;
  found.sentences = {"/etc/rowhouse/tenants.d/acme.yaml:2:7: \"gid\" must be 5, the group of uid 7"};
  const ErrorText refusal = refusal_of(found, "acme");
  CHECK(refusal.pointer == "/gid");
  CHECK(refusal.message == "\"gid\" must be 5, the group of uid 7; nothing has changed.");
}

TEST_CASE("an operation is followed to its end and the oldest ended ones are forgotten") {
  ManualClock clock;
  Operations operations(clock, 0xabc);
  std::vector<std::uint64_t> told;
  operations.set_on_end([&](std::uint64_t connection, const Operation&) { told.push_back(connection); });
  const auto key = operations.begin(1000, "PUT", "/v1/tenants/acme");
  const std::string id = operations.find(key)->id;
  CHECK(id == "0000000000000abc-1");
  operations.wait(id, 5);
  operations.wait(id, 6);
  operations.forget_connection(6);
  operations.finish(key, {});
  CHECK(told == std::vector<std::uint64_t>{5});
  operations.finish(key, {});
  CHECK(told.size() == 1);
  for (std::size_t i = 0; i < Operations::kMaxKept; ++i) {
    [[maybe_unused]] const auto begun = operations.begin(i < 100 ? 7u : 8u, "PUT", "/x");
  }
  CHECK(operations.find(id) == nullptr);
  CHECK_FALSE(operations.has_room(7));
  CHECK(operations.has_room(9));
}
