// The stream of events: numbers, bounds, filters, and what survives the process.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>

#include "control/event_log.h"

using namespace rowhouse;
using namespace rowhouse::control;

namespace {

struct Heard final : EventListener {
  std::vector<std::uint64_t> ids;
  void on_event(const Event& event) override { ids.push_back(event.id); }
};

struct Fixture {
  Fixture() {
    char room[] = "/tmp/rowhouse-events-XXXXXX";
    path = ::mkdtemp(room);
    reopen();
  }
  ~Fixture() { std::filesystem::remove_all(path); }
  void reopen() {
    directory = std::make_unique<LogDirectory>(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    events = std::make_unique<EventLog>(clock, heard);
    events->open(*directory);
  }
  std::string path;
  ManualClock clock;
  Heard heard;
  std::unique_ptr<LogDirectory> directory;
  std::unique_ptr<EventLog> events;
};

bool any(const Event&) {
  return true;
}

}  // namespace

TEST_CASE("events have growing numbers, are heard once, and pages follow each other") {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.events->add("died", {"acme", "site"}, {{"worker", i}});
  CHECK(f.heard.ids == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
  const EventLog::Page first = f.events->read(0, 3, any);
  CHECK(first.events.size() == 3);
  CHECK(first.next == 3);
  const EventLog::Page second = f.events->read(first.next, 3, any);
  CHECK(second.events.size() == 2);
  CHECK(f.events->read(second.next, 3, any).events.empty());
  CHECK(f.events->read(second.next, 3, any).next == 5);
}

TEST_CASE("a filter passes over what a caller may not see and goes on behind it") {
  Fixture f;
  f.events->add("died", {"acme", "site"}, Json::object());
  f.events->add("died", {"globex", "site"}, Json::object());
  const EventLog::Page page = f.events->read(0, 10, [](const Event& event) { return event.tenant == "acme"; });
  CHECK(page.events.size() == 1);
  CHECK(page.next == 2);
}

TEST_CASE("the next process knows the events and gives no number twice") {
  Fixture f;
  f.events->add("died", {"acme", "site"}, {{"code", "RH-OOM"}});
  f.reopen();
  const EventLog::Page page = f.events->read(0, 10, any);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0]->type == "died");
  CHECK(text_of(parse_object(page.events[0]->json), "code") == "RH-OOM");
  f.events->add("died", {}, Json::object());
  CHECK(f.heard.ids.back() > 1 + EventLog::kIdGap - 1);
}

TEST_CASE("a tenant's noise pushes out its own events only") {
  Fixture f;
  f.events->add("died", {"quiet", "site"}, Json::object());
  for (std::size_t i = 0; i < EventLog::kMaxPerTenant + 100; ++i) f.events->add("backoff", {"noisy", "site"}, Json::object());
  const auto of = [&](std::string_view tenant) {
    return f.events->read(0, EventLog::kMaxEvents, [&](const Event& event) { return event.tenant == tenant; }).events.size();
  };
  CHECK(of("quiet") == 1);
  CHECK(of("noisy") == EventLog::kMaxPerTenant);
  CHECK(f.events->forgotten_until() == 101);
}

TEST_CASE("the file is written anew before it grows without bound, and long texts are cut") {
  Fixture f;
  const std::string text(5000, 'x');
  for (int i = 0; i < 20'000; ++i) f.events->add("died", {"acme", "site"}, {{"detail", text}});
  CHECK(std::filesystem::file_size(f.path + "/_history/events.jsonl") < 4 * 1024 * 1024);
  const EventLog::Page page = f.events->read(0, 1, any);
  CHECK(text_of(parse_object(page.events[0]->json), "detail").size() == EventLog::kMaxTextBytes);
}
