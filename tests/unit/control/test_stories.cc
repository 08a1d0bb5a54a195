// Stories of deaths: how their parts are joined, kept and read back.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/loop.h"
#include "control/stories.h"

using namespace rowhouse;
using namespace rowhouse::control;

namespace {

const AppName kSite{"acme", "site"};

// A log directory of its own, a loop, and the stories in it; `stored` is what was acknowledged.
struct Fixture {
  Fixture() {
    char room[] = "/tmp/rowhouse-stories-XXXXXX";
    path = ::mkdtemp(room);
    reopen();
  }
  ~Fixture() { std::filesystem::remove_all(path); }
  void reopen() {
    stories.reset();
    directory = std::make_unique<LogDirectory>(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    stories = std::make_unique<Stories>(loop.get(), clock, [this](const auto& each) { stored.push_back(each); });
    stories->open(*directory);
  }
  [[nodiscard]] std::string file() const { return path + "/_history/acme/site.jsonl"; }

  std::string path;
  Loop loop;
  ManualClock clock;
  std::vector<proto::DeathStored> stored;
  std::unique_ptr<LogDirectory> directory;
  std::unique_ptr<Stories> stories;
};

proto::Death death(std::uint32_t worker, std::int64_t at_ms = 1'700'000'000'042) {
  proto::Death made;
  made.app = 7;
  made.generation = 2;
  made.worker = worker;
  made.cause = proto::Cause::kSignal;
  made.argument = 9;
  made.at_ms = at_ms;
  made.process = {1234, 340, true};
  return made;
}

proto::RunningRecord running(std::uint32_t worker, std::string_view id) {
  proto::RunningRecord record;
  record.app = 7;
  record.generation = 2;
  record.worker = worker;
  record.phase = proto::RunningPhase::kStarted;
  record.method = "POST";
  record.path = "/pay";
  record.host = "acme.example";
  record.request_id = id;
  return record;
}

}  // namespace

TEST_CASE("a death is acknowledged when its story is in the file, and the next process reads it") {
  Fixture f;
  f.stories->add_death(kSite, death(1), {"line one", "line two"});
  CHECK(f.stored.empty());
  f.stories->write_all_now();
  CHECK(f.stored == std::vector<proto::DeathStored>{{7, 2, 1, 1'700'000'000'042}});
  f.reopen();
  const AppHistory history = f.stories->read(kSite);
  REQUIRE(history.deaths.size() == 1);
  const Json& story = history.deaths[0];
  CHECK(text_of(story, "code") == "RH-SIGNAL");
  CHECK(text_of(story, "detail") == "SIGKILL");
  CHECK(text_of(story, "at") == "2023-11-14T22:13:20.042Z");
  CHECK(number_of(story, "pid") == 1234);
  CHECK(number_of(story, "age_ms") == 340);
  CHECK(story["stderr"] == Json::array({"line one", "line two"}));
}

TEST_CASE("a story that waits to be written is read all the same") {
  Fixture f;
  f.stories->add_death(kSite, death(1), {});
  CHECK(f.stories->read(kSite).deaths.size() == 1);
}

TEST_CASE("requests are joined whether they come before the death or after it") {
  Fixture f;
  f.stories->add_running(kSite, running(1, "before"));
  f.stories->add_running(kSite, running(2, "another worker's"));
  f.stories->add_death(kSite, death(1), {});
  f.stories->add_running(kSite, running(1, "after"));
  f.stories->write_all_now();
  const AppHistory history = f.stories->read(kSite);
  REQUIRE(history.deaths.size() == 1);
  const Json& requests = history.deaths[0]["requests"];
  REQUIRE(requests.size() == 2);
  CHECK(text_of(requests[0], "id") == "before");
  CHECK(text_of(requests[1], "id") == "after");
  CHECK(text_of(requests[1], "phase") == "started");
  CHECK(text_of(f.stories->find_request(kSite, "after"), "code") == "RH-SIGNAL");
  CHECK(f.stories->find_request(kSite, "another worker's").is_null());
  CHECK(f.stories->find_request(kSite, "").is_null());
}

TEST_CASE("of many requests the first are told and the others counted") {
  Fixture f;
  for (std::size_t i = 0; i < kStoryRequests + 5; ++i) f.stories->add_running(kSite, running(1, "r" + std::to_string(i)));
  f.stories->add_death(kSite, death(1), {});
  const AppHistory history = f.stories->read(kSite);
  CHECK(history.deaths[0]["requests"].size() == kStoryRequests);
  CHECK(number_of(history.deaths[0], "requests_left_out") == 5);
}

TEST_CASE("a death that is repeated is known and acknowledged again, another one is not") {
  Fixture f;
  f.stories->add_death(kSite, death(1), {});
  CHECK(f.stories->is_known(kSite, death(1)));
  f.stories->write_all_now();
  f.reopen();
  f.stored.clear();
  CHECK(f.stories->is_known(kSite, death(1)));
  CHECK(f.stored.size() == 1);
  CHECK_FALSE(f.stories->is_known(kSite, death(2)));
  CHECK_FALSE(f.stories->is_known(kSite, death(1, 1)));
  CHECK_FALSE(f.stories->is_known({"acme", "other"}, death(1)));
}

TEST_CASE("the last fifty deaths and the last good start are kept, newest first, and the file has a bound") {
  Fixture f;
  f.stories->add_start(kSite, 2, 1'700'000'000'000);
  const std::vector<std::string> lines(20, std::string(1024, 'x'));
  for (std::uint32_t worker = 1; worker <= 120; ++worker) {
    f.stories->add_death(kSite, death(worker, 1'700'000'000'000 + worker), lines);
    f.stories->write_all_now();
  }
  CHECK(std::filesystem::file_size(f.file()) <= Stories::kMaxFileBytes + 64 * 1024);
  const AppHistory history = f.stories->read(kSite);
  CHECK(history.deaths.size() <= Stories::kKeptStories);
  CHECK(history.deaths.size() > 20);
  CHECK(number_of(history.deaths[0], "worker") == 120);
  CHECK(number_of(history.deaths[1], "worker") == 119);
  REQUIRE(history.last_start.has_value());
  CHECK(history.last_start->generation == 2);
  CHECK(f.stored.size() == 120);
}

TEST_CASE("a line that a crash has cut costs itself alone") {
  Fixture f;
  f.stories->add_death(kSite, death(1), {});
  f.stories->write_all_now();
  std::ofstream(f.file(), std::ios::app) << "{\"kind\":\"death\",\"key\":\"cut";
  f.stories->add_death(kSite, death(2), {});
  f.stories->write_all_now();
  CHECK(f.stories->read(kSite).deaths.size() == 2);
}

TEST_CASE("what no death followed is forgotten, and strangers cannot make it grow") {
  Fixture f;
  for (std::uint32_t worker = 1; worker <= 5000; ++worker) f.stories->add_running(kSite, running(worker, "r"));
  f.stories->add_death(kSite, death(5000), {});
  CHECK(f.stories->read(kSite).deaths[0]["requests"].size() == 1);
  f.stories->add_death(kSite, death(1, 1'700'000'001'000), {});
  CHECK(f.stories->read(kSite).deaths[0]["requests"].empty());
}

TEST_CASE("a traceback tells its exception and its last place; other lines tell nothing") {
  const auto facts = find_exception({"Traceback (most recent call last):", "  File \"/home/acme/app.py\", line 3, in <module>",
                                     "    import flask", "ModuleNotFoundError: No module named 'flask'"});
  REQUIRE(facts);
  CHECK(facts->text == "ModuleNotFoundError: No module named 'flask'");
  CHECK(facts->where == "/home/acme/app.py line 3");
  CHECK_FALSE(find_exception({"one", "two"}));
  CHECK_FALSE(find_exception({"  File \"cut"}));
  CHECK_FALSE(find_exception({}));
}
