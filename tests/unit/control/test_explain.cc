// What is explained, from facts alone.
#include <doctest/doctest.h>

#include "control/advice.h"
#include "control/explain.h"
#include "control/ending_text.h"

using namespace rowhouse;
using namespace rowhouse::control;

namespace {

const AppName kSite{"acme", "site"};

AppStatus status_in(proto::AppState state, std::uint32_t retry_in_ms = 0) {
  AppStatus status;
  status.info.tenant = proto::Name::cut("acme");
  status.info.name = proto::Name::cut("site");
  status.info.state = state;
  status.info.workers_min = 2;
  status.info.retry_in_ms = retry_in_ms;
  return status;
}

Json explained(const AppStatus* status, AppHistory history = {}) {
  ExplainFacts facts;
  facts.app = kSite;
  facts.status = status;
  facts.history = std::move(history);
  return explain_app(facts, 5);
}

Json death_by_import() {
  Story story;
  story.death.cause = proto::Cause::kImport;
  story.death.argument = static_cast<std::int32_t>(proto::StartStep::kImportModule);
  story.death.worker = 1;
  story.lines = {"  File \"/home/acme/app.py\", line 3, in <module>", "ModuleNotFoundError: No module named 'flask'"};
  return parse_object(story_line(story));
}

}  // namespace

TEST_CASE("visitors are told what the app's state gives them") {
  AppStatus running = status_in(proto::AppState::kRunning);
  CHECK(explained(&running)["visitors"]["served"] == true);
  AppStatus backoff = status_in(proto::AppState::kBackoff, 28'000);
  const Json visitors = explained(&backoff)["visitors"];
  CHECK(visitors["served"] == false);
  CHECK(number_of(visitors, "status") == 503);
  CHECK(text_of(visitors, "code") == "RH-BACKOFF");
  CHECK(number_of(visitors, "retry_after_s") == 28);
  AppStatus stopped = status_in(proto::AppState::kStopped);
  CHECK(text_of(explained(&stopped)["visitors"], "code") == "RH-STOPPED");
  CHECK(explained(&stopped)["suspended"].is_null());
}

TEST_CASE("a suspended app says why, and what visitors get") {
  const AppStatus suspended = status_in(proto::AppState::kSuspended);
  const std::string reason = "unpaid";
  ExplainFacts facts;
  facts.app = kSite;
  facts.status = &suspended;
  facts.suspension = &reason;
  const Json story = explain_app(facts, 5);
  CHECK(text_of(story["suspended"], "reason") == "unpaid");
  CHECK(text_of(story["visitors"], "code") == "RH-SUSPENDED");
}

TEST_CASE("a death by import tells step, exception, place and a fix, and nothing that is for us") {
  AppStatus backoff = status_in(proto::AppState::kBackoff);
  AppHistory history;
  history.deaths.push_back(death_by_import());
  const Json death = explained(&backoff, history)["deaths"][0];
  CHECK(text_of(death, "code") == "RH-IMPORT");
  CHECK(text_of(death, "step") == "import module");
  CHECK(text_of(death, "exception") == "ModuleNotFoundError: No module named 'flask'");
  CHECK(text_of(death, "where") == "/home/acme/app.py line 3");
  CHECK(text_of(death, "fix").find("virtualenv") != std::string::npos);
  for (const char* own : {"kind", "key", "cause"}) CHECK_FALSE(death.contains(own));
}

TEST_CASE("what is not known is not told") {
  const Json story = explained(nullptr);
  CHECK(story["state"].is_null());
  CHECK(story["last_good_start"].is_null());
  CHECK(story["deaths"].empty());
  CHECK_FALSE(story.contains("visitors"));
  CHECK_FALSE(parse_object(story_line({})).contains("pid"));
}

TEST_CASE("an error of a dead worker has that worker's death beside it") {
  const Json answer = explain_error({{"id", "1"}, {"cause", 70}, {"status", 502}}, kSite, death_by_import());
  CHECK(text_of(answer["error"], "fix").find("rowhouse explain acme/site") != std::string::npos);
  CHECK(text_of(answer["death"], "code") == "RH-IMPORT");
  CHECK(explain_error({{"id", "1"}}, {}, {})["death"].is_null());
}

TEST_CASE("every cause that is somebody's to mend has an advice") {
  for (std::uint16_t number = 1; number < 256; ++number) {
    const auto cause = static_cast<proto::Cause>(number);
    if (!proto::is_cause(number) || is_planned_ending(cause)) continue;
    using enum proto::Cause;
    const bool mendable = cause != kKilled && cause != kUnresponsive && cause != kBadRequest && cause != kClientTimeout &&
                          cause != kRate;
    CAPTURE(number);
    CHECK(advice_for(cause, kSite, "", "").empty() != mendable);
  }
}
