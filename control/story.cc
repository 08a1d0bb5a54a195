#include "control/story.h"

#include <algorithm>

#include "base/printable.h"
#include "control/ending_text.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

std::string_view phase_name(proto::RunningPhase phase) {
  switch (phase) {
    case proto::RunningPhase::kSent: return "sent";
    case proto::RunningPhase::kStarted: return "started";
    case proto::RunningPhase::kAnswered: return "answer begun";
  }
  return "unknown";
}

Json request_json(const StoryRequest& request) {
  return {{"method", request.method},
          {"path", request.path},
          {"host", request.host},
          {"id", request.id},
          {"at", format_rfc3339(request.at_ms)},
          {"running_ms", request.running_ms},
          {"phase", phase_name(request.phase)},
          {"client_gone", request.client_gone}};
}

bool names_step(proto::Cause cause) {
  return cause == proto::Cause::kImport || cause == proto::Cause::kSpawn;
}

void add_process(Json& json, const proto::Death& death) {
  if (death.process.pid == 0) return;
  json["pid"] = death.process.pid;
  json["age_ms"] = death.process.age_ms;
  json["was_ready"] = death.process.was_ready;
}

void add_limits(Json& json, const proto::LimitFacts& limits) {
  if (limits.memory_owner != proto::LimitOwner::kNone) {
    json["memory"] = {{"limit_of", limits.memory_owner == proto::LimitOwner::kApp ? "app" : "plan"},
                      {"limit_bytes", limits.memory_limit_bytes},
                      {"bytes", limits.memory_bytes}};
  }
  if (limits.forks_refused > 0) json["pids"] = {{"limit", limits.pids_limit}, {"refused", limits.forks_refused}};
}

}  // namespace

StoryRequest::StoryRequest(const proto::RunningRecord& record)
    : phase(record.phase),
      client_gone(record.client_gone),
      at_ms(record.at_ms),
      running_ms(record.running_ms),
      method(escape_line(record.method)),
      path(escape_line(record.path)),
      host(escape_line(record.host)),
      id(escape_line(record.request_id)) {}

void Story::add_request(const StoryRequest& request) {
  // Told when it was over its time, and again when its worker was lost.
  const auto is_same = [&](const StoryRequest& known) { return !request.id.empty() && known.id == request.id; };
  if (std::any_of(requests.begin(), requests.end(), is_same)) return;
  if (requests.size() < kStoryRequests) {
    requests.push_back(request);
  } else {
    ++requests_left_out;
  }
}

std::string story_key(const proto::Death& death) {
  return std::to_string(death.generation) + "." + std::to_string(death.worker) + "." + std::to_string(death.at_ms);
}

std::string story_line(const Story& story) {
  const proto::Death& death = story.death;
  const std::string last_line = story.lines.empty() ? "" : story.lines.back();
  Json json{{"kind", "death"},
            {"key", story_key(death)},
            {"cause", static_cast<std::uint16_t>(death.cause)},
            {"at", format_rfc3339(death.at_ms)},
            {"code", proto::cause_name(death.cause)},
            {"detail", ending_detail({death.cause, death.argument, death.limits, {}}, last_line)},
            {"generation", death.generation},
            {"worker", death.worker}};
  add_process(json, death);
  if (names_step(death.cause)) json["step"] = ending_argument(death.cause, death.argument);
  if (const auto exception = find_exception(story.lines)) {
    json["exception"] = exception->text;
    json["where"] = exception->where;
  }
  add_limits(json, death.limits);
  json["stderr"] = story.lines;
  Json requests = Json::array();
  for (const StoryRequest& request : story.requests) requests.push_back(request_json(request));
  json["requests"] = std::move(requests);
  json["requests_left_out"] = story.requests_left_out;
  return dump_json(json);
}

// The last line of a traceback begins where the frames above it do not: in the first column.
std::optional<ExceptionFacts> find_exception(const std::vector<std::string>& lines) {
  static constexpr std::string_view kFrame = "  File \"";
  ExceptionFacts facts;
  for (const std::string& line : lines) {
    if (line.starts_with(kFrame)) {
      const std::size_t quote = line.find("\", line ", kFrame.size());
      if (quote == std::string::npos) continue;
      const std::size_t number = quote + std::string_view("\", line ").size();
      const std::size_t end = line.find_first_not_of("0123456789", number);
      facts.where = line.substr(kFrame.size(), quote - kFrame.size()) + " line " + line.substr(number, end - number);
      facts.text.clear();
    } else if (!facts.where.empty() && facts.text.empty() && !line.empty() && line[0] != ' ') {
      facts.text = line;
    }
  }
  if (facts.text.empty()) return std::nullopt;
  return facts;
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Json parse_object(std::string_view text) {
  Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_object() ? parsed : Json();
}

std::string text_of(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto found = object.find(name);
  // One that was made here from an int is signed; one that was parsed is not.
  const bool known = found != object.end() && found->is_number_integer();
  return known && (found->is_number_unsigned() || found->get<std::int64_t>() >= 0) ? found->get<std::uint64_t>() : 0;
}

}  // namespace rowhouse::control
