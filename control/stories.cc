#include "control/stories.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "control/journal.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

constexpr std::chrono::milliseconds kWritePause{2};
constexpr std::chrono::milliseconds kRetryPause{1000};

std::string file_of(const AppName& app) {
  return app.app + ".jsonl";
}

std::string key_text(const proto::Death& death) {
  return "\"key\":\"" + story_key(death) + "\"";
}

// Of several lines with one key the last one counts.  Newest first.
std::vector<std::pair<std::string, Json>> newest_stories(const std::vector<std::string>& lines) {
  std::vector<std::pair<std::string, Json>> stories;
  std::set<std::string> seen;
  for (auto line = lines.rbegin(); line != lines.rend() && stories.size() < Stories::kKeptStories; ++line) {
    Json json = parse_object(*line);
    if (text_of(json, "kind") != "death") continue;
    if (seen.insert(text_of(json, "key")).second) stories.emplace_back(*line, std::move(json));
  }
  // An amended story stands where it was amended; the order is that of the deaths.
  std::stable_sort(stories.begin(), stories.end(), [](const auto& a, const auto& b) {
    return text_of(a.second, "at") > text_of(b.second, "at");
  });
  return stories;
}

const std::string* last_start_line(const std::vector<std::string>& lines) {
  const auto found = std::find_if(lines.rbegin(), lines.rend(),
                                  [](const std::string& line) { return line.starts_with("{\"kind\":\"start\""); });
  return found == lines.rend() ? nullptr : &*found;
}

}  // namespace

Stories::Stories(uv_loop_t* loop, const Clock& clock, StoredCallback on_stored)
    : clock_(clock), on_stored_(std::move(on_stored)), writing_(loop, [this] { write_some(kWritesPerTurn); }) {}

bool Stories::is_known(const AppName& app, const proto::Death& death) {
  const std::string key = key_text(death);
  const auto has_key = [&](const std::string& line) { return line.find(key) != std::string::npos; };
  const auto waits = std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
    return waiting.app == app && has_key(waiting.line);
  });
  if (waits) return true;
  const auto directory = directory_->open_history(app.tenant, Missing::kFail);
  if (!directory.ok()) return false;
  const auto lines = read_lines(directory.value().get(), file_of(app), kMaxFileBytes);
  if (!lines.ok() || std::none_of(lines.value().begin(), lines.value().end(), has_key)) return false;
  on_stored_({death.app, death.generation, death.worker, death.at_ms});
  return true;
}

void Stories::add_death(const AppName& app, const proto::Death& death, std::vector<std::string> lines) {
  Loose& loose = loose_of({death.app, death.generation, death.worker}, app);
  loose.dead = true;
  loose.story.death = death;
  loose.story.lines = std::move(lines);
  enqueue({app, story_line(loose.story),
           proto::DeathStored{death.app, death.generation, death.worker, death.at_ms}});
}

void Stories::add_start(const AppName& app, std::uint32_t generation, std::int64_t at_ms) {
  enqueue({app, dump_json({{"kind", "start"}, {"at", format_rfc3339(at_ms)}, {"generation", generation}}), {}});
}

void Stories::add_running(const AppName& app, const proto::RunningRecord& record) {
  Loose& loose = loose_of({record.app, record.generation, record.worker}, app);
  loose.story.add_request(StoryRequest(record));
  if (loose.dead) enqueue({app, story_line(loose.story), {}});
}

Stories::Loose& Stories::loose_of(const WorkerKey& key, const AppName& app) {
  const Instant now = clock_.now();
  const auto known = loose_.find(key);
  if (known != loose_.end()) return known->second;
  forget_loose();
  const std::uint32_t number = std::get<0>(key);
  const auto first = loose_.lower_bound({number, 0, 0});
  const auto last = loose_.lower_bound({number + 1, 0, 0});
  // Keys grow with time: the first is the oldest.
  if (static_cast<std::size_t>(std::distance(first, last)) >= kMaxLoosePerApp || loose_.size() >= kMaxLoose) {
    loose_.erase(first != last ? first : loose_.begin());
  }
  return loose_.emplace(key, Loose{app, {}, false, now + kLooseTime}).first->second;
}

void Stories::forget_loose() {
  const Instant now = clock_.now();
  std::erase_if(loose_, [now](const auto& entry) { return entry.second.until <= now; });
}

// --- writing ---------------------------------------------------------------------------------------------

void Stories::enqueue(Waiting waiting) {
  if (waiting_.size() >= kMaxWaiting) {
    log_warning("story_lost", {{"app", waiting_.front().app.text()}});
    waiting_.pop_front();
  }
  waiting_.push_back(std::move(waiting));
  if (!writing_.active()) writing_.start(kWritePause);
}

void Stories::write_some(std::size_t count) {
  for (; count > 0 && !waiting_.empty(); --count) {
    if (const Status written = write(waiting_.front()); !written.ok()) {
      log_warning("story_not_written", {{"app", waiting_.front().app.text()}, {"error", written.error()}});
      writing_.start(kRetryPause);
      return;
    }
    const std::optional<proto::DeathStored> stored = waiting_.front().stored;
    waiting_.pop_front();
    if (stored) on_stored_(*stored);
  }
  if (!waiting_.empty()) writing_.start(kWritePause);
}

Status Stories::write(const Waiting& waiting) {
  RH_ASSIGN(const UniqueFd directory, directory_->open_history(waiting.app.tenant, Missing::kCreate));
  const Durability durability = waiting.stored ? Durability::kNow : Durability::kLater;
  RH_ASSIGN(const std::uint64_t size,
            append_lines(directory.get(), file_of(waiting.app), waiting.line + "\n", durability));
  directory_->limit_history(directory.get(), file_of(waiting.app));
  return size > kMaxFileBytes ? tidy(waiting.app, directory.get()) : Status();
}

// Keeps the newest stories and the last start.
Status Stories::tidy(const AppName& app, int directory_fd) {
  RH_ASSIGN(const std::vector<std::string> lines, read_lines(directory_fd, file_of(app), 2 * kMaxFileBytes));
  std::vector<std::string> kept;
  if (const std::string* start = last_start_line(lines)) kept.push_back(*start);
  std::size_t bytes = 0;
  std::vector<std::string> newest;
  for (auto& [line, json] : newest_stories(lines)) {
    bytes += line.size();
    if (bytes > kMaxFileBytes / 2) break;
    newest.push_back(std::move(line));
  }
  kept.insert(kept.end(), newest.rbegin(), newest.rend());
  return replace_lines(directory_fd, file_of(app), kept);
}

// --- reading ---------------------------------------------------------------------------------------------

AppHistory Stories::read(const AppName& app) {
  AppHistory history;
  std::vector<std::string> lines;
  const auto directory = directory_->open_history(app.tenant, Missing::kFail);
  if (directory.ok()) {
    auto stored = read_lines(directory.value().get(), file_of(app), kMaxFileBytes);
    if (stored.ok()) lines = std::move(stored).value();
    if (!stored.ok()) log_warning("stories_not_read", {{"app", app.text()}, {"error", stored.error()}});
  }
  for (const Waiting& waiting : waiting_) {
    if (waiting.app == app) lines.push_back(waiting.line);
  }
  for (auto& [line, json] : newest_stories(lines)) history.deaths.push_back(std::move(json));
  if (const std::string* start = last_start_line(lines)) {
    const Json json = parse_object(*start);
    history.last_start = LastStart{static_cast<std::uint32_t>(number_of(json, "generation")), text_of(json, "at")};
  }
  return history;
}

Json Stories::find_request(const AppName& app, std::string_view request_id) {
  if (request_id.empty()) return {};
  for (Json& death : read(app).deaths) {
    for (const Json& request : death["requests"]) {
      if (text_of(request, "id") == request_id) return std::move(death);
    }
  }
  return {};
}

}  // namespace rowhouse::control
