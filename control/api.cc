#include "control/api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/printable.h"
#include "control/ending_text.h"
#include "control/json_strict.h"
#include "control/status_json.h"

namespace rowhouse::control {
namespace {

constexpr std::string_view kReadMethods = "GET, HEAD";
constexpr std::string_view kPostMethod = "POST";
constexpr const char* kFeatures[] = {"status", "start", "stop", "restart", "logs", "logs.follow", "logs.access"};

std::optional<proto::CommandKind> command_kind(std::string_view verb) {
  if (verb == "start") return proto::CommandKind::kStart;
  if (verb == "stop") return proto::CommandKind::kStop;
  if (verb == "restart") return proto::CommandKind::kRestart;
  return std::nullopt;
}

const std::string& parameter(const Target& target, const std::string& name) {
  static const std::string kNone;
  const auto found = target.parameters.find(name);
  return found == target.parameters.end() ? kNone : found->second;
}

std::optional<std::size_t> parse_count(const std::string& text, std::size_t most) {
  std::size_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number > most) return std::nullopt;
  return number;
}

}  // namespace

void Api::on_api_request(ConnectionId id, uid_t uid, const HttpRequest& request) {
  if (parts_.registry.role_of(uid) == Role::kNone) {
    fail(id, {403, "forbidden", "You have no role here: only administrators and tenants may use this socket.", "", ""});
    return;
  }
  auto target = parse_target(request.target);
  if (!target.ok()) {
    fail(id, {400, "bad_request", std::string(target.error().operation) + ".", "", ""});
    return;
  }
  route({id, uid, request, std::move(target).value()});
}

void Api::on_api_client_gone(ConnectionId id) {
  status_work_.erase(id);
  parts_.followers.remove(id);
  parts_.inquiries.forget_client(id);
}

void Api::route(const Call& call) {
  const std::vector<std::string>& path = call.target.segments;
  const bool known = path.size() >= 2 && path[0] == "v1";
  if (known && path.size() == 2 && path[1] == "info") {
    answer_info(call);
  } else if (known && path.size() == 2 && path[1] == "status") {
    start_status(call);
  } else if (known && path.size() == 5 && path[1] == "apps") {
    route_app(call);
  } else {
    fail_not_found(call.id, "This path");
  }
}

void Api::route_app(const Call& call) {
  const std::vector<std::string>& path = call.target.segments;
  const auto kind = command_kind(path[4]);
  if (!kind && path[4] != "logs") {
    fail_not_found(call.id, "This path");
    return;
  }
  const AppName app{path[2], path[3]};
  const bool visible = is_name(app.tenant) && is_name(app.app) && parts_.registry.may_see(call.uid, app.tenant);
  if (!check_method(call, kind ? kPostMethod : kReadMethods)) return;
  if (!visible) {
    fail_not_found(call.id, app.text());
  } else if (kind) {
    start_command(call, app, *kind);
  } else {
    start_logs(call, app);
  }
}

void Api::answer_info(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {}) || !check_body(call)) return;
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  const nlohmann::ordered_json info{
      {"api", 1}, {"version", ROWHOUSE_VERSION}, {"role", admin ? "admin" : "tenant"}, {"features", kFeatures}};
  Answer answer;
  answer.body = info.dump() + "\n";
  parts_.server.send(call.id, answer);
}

void Api::start_status(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {"tenant", "app"}) || !check_body(call)) return;
  if (!check_budget(call)) return;
  StatusWork work;
  work.uid = call.uid;
  work.tenant = parameter(call.target, "tenant");
  work.app = parameter(call.target, "app");
  if (work.tenant.empty() && !work.app.empty()) {
    fail(call.id, {400, "bad_request", "app needs tenant beside it.", "", ""});
    return;
  }
  const bool names_ok = work.app.empty() || is_name(work.app);
  if (!work.tenant.empty() && (!names_ok || !parts_.registry.may_see(call.uid, work.tenant))) {
    fail_not_found(call.id, work.app.empty() ? work.tenant : work.tenant + "/" + work.app);
    return;
  }
  const bool all = work.tenant.empty() && parts_.registry.role_of(call.uid) == Role::kAdmin;
  if (all || !work.tenant.empty()) {
    work.waiting = {work.tenant};
  } else {
    work.waiting = parts_.registry.tenants_of(call.uid);
  }
  status_work_[call.id] = std::move(work);
  ask_next_tenant(call.id);
}

void Api::ask_next_tenant(ConnectionId id) {
  StatusWork& work = status_work_[id];
  if (work.waiting.empty()) {
    finish_status(id);
    return;
  }
  const std::string tenant = work.waiting.back();
  work.waiting.pop_back();
  parts_.inquiries.query(id, tenant, work.app,
                         [this, id](auto apps) { on_tenant_status(id, std::move(apps)); });
}

void Api::on_tenant_status(ConnectionId id, std::optional<std::vector<AppStatus>> apps) {
  const auto work = status_work_.find(id);
  if (work == status_work_.end()) return;
  if (!apps) {
    status_work_.erase(work);
    fail_unavailable(id);
    return;
  }
  for (AppStatus& app : *apps) {
    // Nobody sees a foreign app, whatever was answered.
    if (parts_.registry.may_see(work->second.uid, app.info.tenant.str())) {
      work->second.found.push_back(std::move(app));
    }
  }
  ask_next_tenant(id);
}

void Api::finish_status(ConnectionId id) {
  StatusWork work = std::move(status_work_[id]);
  status_work_.erase(id);
  if (!work.app.empty() && work.found.empty()) {
    fail_not_found(id, work.tenant + "/" + work.app);
    return;
  }
  const auto name_of = [](const AppStatus& app) { return std::pair(app.info.tenant.view(), app.info.name.view()); };
  std::sort(work.found.begin(), work.found.end(),
            [&](const AppStatus& a, const AppStatus& b) { return name_of(a) < name_of(b); });
  std::vector<std::string> apps;
  for (const AppStatus& app : work.found) {
    const proto::AppInfo& info = app.info;
    std::string words;
    if (info.exit_cause != proto::Cause::kNone) {
      words = parts_.book.last_words({info.tenant.str(), info.name.str()},
                                     {info.app, info.exit_generation, info.exit_worker});
    }
    apps.push_back(app_json(app, words));
  }
  Answer answer;
  answer.body = status_json(apps, parts_.registry.problems_for(work.uid, work.tenant));
  parts_.server.send(id, answer);
}

void Api::start_command(const Call& call, const AppName& app, proto::CommandKind kind) {
  if (!check_parameters(call, {}) || !check_body(call)) return;
  find_app(call.id, app, [this, id = call.id, app, kind](std::uint32_t number) {
    on_command_app(id, app, kind, number);
  });
}

void Api::on_command_app(ConnectionId id, const AppName& app, proto::CommandKind kind, std::uint32_t number) {
  parts_.inquiries.command(number, kind, [this, id, app, number](const auto& done) {
    if (done) {
      on_command_done(id, app, number, *done);
    } else {
      fail(id, {504, "timeout", "The outcome is not known yet; see status.", "", ""});
    }
  });
}

void Api::on_command_done(ConnectionId id, const AppName& app, std::uint32_t number,
                          const proto::CommandDone& done) {
  Answer answer;
  switch (done.outcome) {
    case proto::CommandOutcome::kDone:
      answer.body = nlohmann::ordered_json{{"outcome", "done"}, {"generation", done.generation}}.dump() + "\n";
      parts_.server.send(id, answer);
      return;
    case proto::CommandOutcome::kNotFound: fail_not_found(id, app.text()); return;
    case proto::CommandOutcome::kBusy:
      fail(id, {409, "busy", "Another command for " + app.text() + " is under way.", "", ""});
      return;
    case proto::CommandOutcome::kConflict:
      fail(id, {409, "conflict", "This is not possible in the present state of " + app.text() + ".", "", ""});
      return;
    case proto::CommandOutcome::kFailed: break;
  }
  const std::string detail = code_and_detail(done.cause, failure_detail(app, number, done));
  std::string message = app.text() + ": generation " + std::to_string(done.generation) +
                        " failed; what served before still serves.";
  if (done.generation == 0) message = app.text() + ": the command failed.";
  fail(id, {422, "failed", message, detail, ""});
}

// What explains a failed command: the worker's last line, or what was wrong with the configuration.
std::string Api::failure_detail(const AppName& app, std::uint32_t number, const proto::CommandDone& done) {
  if (done.cause != proto::Cause::kConfig) {
    const std::string words = parts_.book.last_words(app, {number, done.generation, done.worker});
    return ending_detail(done.cause, done.argument, words);
  }
  std::string sentences;
  for (const Problem& problem : parts_.registry.problems_of(app.tenant)) {
    sentences += (sentences.empty() ? "" : "; ") + problem.message;
  }
  return sentences;
}

void Api::start_logs(const Call& call, const AppName& app) {
  if (!check_parameters(call, {"stream", "lines", "follow"}) || !check_body(call) || !check_budget(call)) return;
  const auto wanted = parse_log_request(call);
  if (!wanted) return;
  LogRequest request = *wanted;
  if (call.request.method == "HEAD") request = {request.stream, 0, LogRequest::End::kStop};
  find_app(call.id, app, [this, id = call.id, app, request](std::uint32_t) { answer_logs(id, app, request); });
}

std::optional<Api::LogRequest> Api::parse_log_request(const Call& call) {
  LogRequest wanted;
  const std::string& stream = parameter(call.target, "stream");
  const std::string& lines = parameter(call.target, "lines");
  const std::string& follow = parameter(call.target, "follow");
  const auto count = lines.empty() ? kDefaultLines : parse_count(lines, LogBook::kMaxLines);
  const char* mistake = nullptr;
  if (!stream.empty() && stream != "app" && stream != "access") mistake = "stream must be app or access.";
  if (!count) mistake = "lines must be a number from 0 to 10000.";
  if (!follow.empty() && follow != "0" && follow != "1") mistake = "follow must be 0 or 1.";
  if (mistake != nullptr) {
    fail(call.id, {400, "bad_request", mistake, "", ""});
    return std::nullopt;
  }
  if (stream == "access") wanted.stream = LogStream::kAccess;
  if (follow == "1") wanted.end = LogRequest::End::kFollow;
  wanted.lines = *count;
  return wanted;
}

void Api::answer_logs(ConnectionId id, const AppName& app, const LogRequest& wanted) {
  std::string lines;
  for (const LogLine& line : parts_.book.read(app, wanted.stream, wanted.lines)) lines += log_line_json(line);
  Answer answer;
  answer.content_type = "application/x-ndjson";
  if (wanted.end == LogRequest::End::kStop) {
    answer.body = std::move(lines);
    parts_.server.send(id, answer);
    return;
  }
  // Added first: the client may go while the head is written.
  parts_.followers.add(id, app, wanted.stream);
  if (!parts_.server.try_begin_stream(id, answer.content_type, lines)) parts_.followers.remove(id);
}

void Api::find_app(ConnectionId id, const AppName& app, std::function<void(std::uint32_t)> found) {
  parts_.inquiries.query(id, app.tenant, app.app, [this, id, app, found = std::move(found)](const auto& apps) {
    if (!apps) {
      fail_unavailable(id);
      return;
    }
    const auto is_wanted = [&app](const AppStatus& candidate) {
      return candidate.info.tenant.view() == app.tenant && candidate.info.name.view() == app.app;
    };
    const auto match = std::find_if(apps->begin(), apps->end(), is_wanted);
    if (match == apps->end()) {
      fail_not_found(id, app.text());
    } else {
      found(match->info.app);
    }
  });
}

bool Api::check_method(const Call& call, std::string_view allowed) {
  const bool reading = call.request.method == "GET" || call.request.method == "HEAD";
  if (allowed == kReadMethods ? reading : call.request.method == allowed) return true;
  Answer answer = error_answer({405, "method_not_allowed", "Allowed here: " + std::string(allowed) + ".", "", ""});
  answer.allow = allowed;
  parts_.server.send(call.id, answer);
  return false;
}

bool Api::check_parameters(const Call& call, std::initializer_list<std::string_view> names) {
  for (const auto& [name, value] : call.target.parameters) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    fail(call.id, {400, "bad_request", "Unknown query parameter \"" + terminal_safe(name) + "\".", "", ""});
    return false;
  }
  return true;
}

// No call of this version has fields in its body: it is empty or an empty object.
bool Api::check_body(const Call& call) {
  const std::string& body = call.request.body;
  if (body.empty()) return true;
  const ParsedJson parsed = parse_json(body);
  const auto problem = parsed.problem ? parsed.problem : check_fields(parsed.value, {});
  if (!problem) return true;
  fail(call.id, {400, "bad_request", "The body is refused: " + terminal_safe(problem->message) + ".", "",
                 terminal_safe(problem->pointer)});
  return false;
}

bool Api::check_budget(const Call& call) {
  if (parts_.server.unsent_bytes_of(call.uid) <= ApiServer::kMaxUnsentBytesPerUid) return true;
  fail(call.id, {503, "busy", "You have too many answers open that you do not read.", "", ""});
  return false;
}

void Api::fail_not_found(ConnectionId id, std::string_view what) {
  fail(id, {404, "not_found", terminal_safe(what) + " does not exist.", "", ""});
}

void Api::fail_unavailable(ConnectionId id) {
  fail(id, {503, "unavailable", "The supervisor does not answer.", "", ""});
}

}  // namespace rowhouse::control
