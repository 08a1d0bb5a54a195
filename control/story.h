// The story of one death: what the supervisor, the gateways and the worker itself said about it, joined, as one line
// of JSON.  Pure.  Facts only: what is not known is not there.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/control_messages.h"
#include "proto/running_record.h"

namespace rowhouse::control {

using Json = nlohmann::ordered_json;

inline constexpr std::size_t kStoryRequests = 16;   // that were running; of others only the number is told
inline constexpr std::size_t kStoryLineBytes = 256;  // of each line of stderr

// A request that was in the worker.
struct StoryRequest {
  explicit StoryRequest(const proto::RunningRecord& record);
  proto::RunningPhase phase;
  bool client_gone;
  std::int64_t at_ms;
  std::uint32_t running_ms;
  std::string method, path, host, id;
};

struct Story {
  proto::Death death;
  std::vector<std::string> lines;  // the last ones of stderr, escaped
  std::vector<StoryRequest> requests;
  std::uint64_t requests_left_out = 0;

  void add_request(const StoryRequest& request);
};

// What names a death among those of its app: "GENERATION.WORKER.MILLISECONDS".
[[nodiscard]] std::string story_key(const proto::Death& death);

// One line, without its end: the object that the API shows, with "key" and "cause" for us.
[[nodiscard]] std::string story_line(const Story& story);

// What a Python traceback in the lines says: its last line, and the place that it names last.
struct ExceptionFacts {
  std::string text;   // "ModuleNotFoundError: No module named 'flask'"
  std::string where;  // "/home/acme/app.py line 3"
};
[[nodiscard]] std::optional<ExceptionFacts> find_exception(const std::vector<std::string>& lines);

[[nodiscard]] std::string dump_json(const Json& value);
// Null when the text is no JSON object.
[[nodiscard]] Json parse_object(std::string_view text);
// Fields of what was parsed; empty and 0 for what is missing or of another type.
[[nodiscard]] std::string text_of(const Json& object, const char* name);
[[nodiscard]] std::uint64_t number_of(const Json& object, const char* name);

}  // namespace rowhouse::control
