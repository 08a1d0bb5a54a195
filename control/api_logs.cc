// The logs call: the last lines, and then, if the caller wants to follow, each new one.
#include <algorithm>
#include <charconv>
#include <utility>

#include "control/api.h"
#include "control/log_tail.h"

namespace rowhouse::control {
namespace {

constexpr const char* kLinesType = "application/x-ndjson";
constexpr std::size_t kMaxSoughtBytes = 200;

std::optional<std::size_t> parse_count(const std::string& text, std::size_t most) {
  std::size_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number > most)
    return std::nullopt;
  return number;
}

}  // namespace

void Api::start_logs(const Call& call, const AppName& app) {
  if (!check_parameters(call, {"stream", "lines", "follow", "since", "until", "level", "request", "text"}) || !check_body(call)) return;
  const auto wanted = parse_log_request(call);
  if (!wanted) return;
  LogRequest request = *wanted;
  if (call.request.method == "HEAD") request = {request.stream, 0, {}, LogRequest::End::kStop};
  find_app(call.id, app, [this, id = call.id, uid = call.uid, app, request](std::uint32_t) {
    answer_logs(id, uid, app, request);
  });
}

std::optional<Api::LogRequest> Api::parse_log_request(const Call& call) {
  LogRequest wanted;
  const std::string stream = call.target.parameter("stream");
  const std::string lines = call.target.parameter("lines");
  const std::string follow = call.target.parameter("follow");
  const auto count = lines.empty() ? kDefaultLines : parse_count(lines, LogBook::kMaxLines);
  const char* mistake = nullptr;
  if (!stream.empty() && stream != "app" && stream != "access") mistake = "stream must be app or access.";
  if (!count) mistake = "lines must be a number from 0 to 10000.";
  if (!follow.empty() && follow != "0" && follow != "1") mistake = "follow must be 0 or 1.";
  if (const char* wrong = parse_log_filter(call, wanted.filter)) mistake = wrong;
  if (mistake != nullptr) {
    fail(call.id, {400, "bad_request", mistake, "", ""});
    return std::nullopt;
  }
  if (stream == "access") wanted.stream = LogStream::kAccess;
  if (follow == "1") wanted.end = LogRequest::End::kFollow;
  wanted.lines = *count;
  return wanted;
}

// What is wrong, or nothing.
const char* Api::parse_log_filter(const Call& call, LogFilter& filter) const {
  const std::string since = call.target.parameter("since"), until = call.target.parameter("until");
  const std::string level = call.target.parameter("level");
  const std::int64_t now_ms = parts_.clock.wall_ms();
  const auto begin = parse_log_time(since, now_ms), end = parse_log_time(until, now_ms);
  if ((!since.empty() && !begin) || (!until.empty() && !end)) {
    return "since and until must be 2026-01-31, 2026-01-31T23:59:59Z, or so long ago: 90s, 15m, 2h, 7d.";
  }
  filter.since = begin.value_or("");
  filter.until = end.value_or("");
  filter.level = parse_log_level(level);
  if (!level.empty() && !filter.level) return "level must be debug, info, warning, error or critical.";
  filter.request = call.target.parameter("request");
  filter.text = call.target.parameter("text");
  if (filter.request.size() > kMaxSoughtBytes || filter.text.size() > kMaxSoughtBytes) return "request and text have at most 200 bytes.";
  return nullptr;
}

void Api::answer_logs(ConnectionId id, uid_t uid, const AppName& app, const LogRequest& wanted) {
  if (!check_unsent(id, uid)) return;
  std::string lines;
  for (const LogLine& line : parts_.book.read(app, wanted.stream, wanted.lines, wanted.filter)) lines += log_line_json(line);
  // To look for them costs also when few are found.
  const std::size_t cost = wanted.filter.is_empty() ? lines.size() : std::max(lines.size(), kMaxTailBytes);
  budgets_.charge(uid, static_cast<std::int64_t>(cost) / CallerBudgets::kUnitBytes);
  if (wanted.end == LogRequest::End::kFollow) {
    follow_logs(id, uid, app, wanted, lines);
    return;
  }
  Answer answer;
  answer.content_type = kLinesType;
  answer.body = std::move(lines);
  send(id, answer);
}

void Api::follow_logs(ConnectionId id, uid_t uid, const AppName& app, const LogRequest& wanted,
                      std::string_view lines) {
  const bool admin = parts_.registry.role_of(uid) == Role::kAdmin;
  if (!admin && parts_.followers.count_of(uid) >= Followers::kMaxPerTenantUid) {
    fail(id, {503, "busy", "You follow too many logs at the same time.", "", ""});
    return;
  }
  // Added first: the client may go while the head is written.
  parts_.followers.add(id, uid, app, wanted.stream, wanted.filter);
  if (!parts_.server.try_begin_stream(id, kLinesType, lines)) parts_.followers.remove(id);
}

}  // namespace rowhouse::control
