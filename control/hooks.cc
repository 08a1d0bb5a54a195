#include "control/hooks.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "control/journal.h"

namespace rowhouse::control {
namespace {

constexpr const char* kFileName = "hooks.jsonl";
constexpr std::size_t kMaxFileBytes = 4 * 1024 * 1024;

}  // namespace

void Hooks::open(const LogDirectory& directory, const EventLog& events) {
  directory_ = &directory;
  events_ = &events;
  const auto history = directory.open_history("", Missing::kFail);
  if (!history.ok()) return;
  const auto lines = read_lines(history.value().get(), kFileName, kMaxFileBytes);
  if (!lines.ok()) return log_error("hooks_not_read", {{"error", lines.error()}});
  for (const std::string& line : lines.value()) {
    ParsedJson parsed = parse_json(line);
    if (parsed.problem || !parsed.value.is_object() || hooks_.size() >= kMaxHooks) continue;
    const std::string name = parsed.value.value("name", "");
    const std::uint64_t delivered = parsed.value.value("delivered", std::uint64_t{0});
    parsed.value.erase("name");
    parsed.value.erase("delivered");
    auto hook = parse_hook(name, parsed.value);
    if (!is_name(name) || !std::holds_alternative<Hook>(hook)) continue;
    std::get<Hook>(hook).delivered = delivered;
    add(std::get<Hook>(std::move(hook)));
  }
}

void Hooks::add(Hook hook) {
  const std::string name = hook.name;
  Running& running = hooks_[name];
  running = Running{};
  running.hook = std::move(hook);
  running.timer = std::make_unique<Timer>(loop_, [this, name] { go_on(name); });
  running.timer->start(std::chrono::milliseconds(0));
}

Status Hooks::set(Hook hook) {
  const auto known = hooks_.find(hook.name);
  std::optional<Hook> before;
  if (known != hooks_.end()) before = known->second.hook;
  hook.delivered = before ? before->delivered : events_->last_id();
  const std::string name = hook.name;
  add(std::move(hook));
  const Status written = write();
  if (written.ok()) return written;
  before ? add(*before) : void(hooks_.erase(name));
  return written;
}

Status Hooks::remove(const std::string& name) {
  const auto known = hooks_.find(name);
  if (known == hooks_.end()) return {};
  Running removed = std::move(known->second);
  hooks_.erase(known);
  const Status written = write();
  if (!written.ok()) add(removed.hook);
  return written;
}

Status Hooks::write() const {
  std::vector<std::string> lines;
  for (const auto& [name, running] : hooks_) lines.push_back(hook_json(running.hook).dump());
  RH_ASSIGN(const UniqueFd history, directory_->open_history("", Missing::kCreate));
  return replace_lines(history.get(), kFileName, lines);
}

nlohmann::ordered_json Hooks::list() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [name, running] : hooks_) {
    nlohmann::ordered_json json = hook_json(running.hook);
    json["failures"] = running.failures;
    json["problem"] = running.problem.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(running.problem);
    list.push_back(std::move(json));
  }
  return list;
}

void Hooks::on_event(const Event& event) {
  for (auto& [name, running] : hooks_) {
    // One that has a call or waits looks again when that is over.
    if (running.call == nullptr && !running.timer->active() && is_for_hook(running.hook, event)) {
      running.timer->start(std::chrono::milliseconds(0));
    }
  }
}

void Hooks::go_on(const std::string& name) {
  const auto found = hooks_.find(name);
  if (found == hooks_.end() || found->second.call != nullptr) return;
  Running& running = found->second;
  const EventLog::Page page = events_->read(running.hook.delivered, kMaxBatch,
                                           [&running](const Event& event) { return is_for_hook(running.hook, event); });
  if (page.events.empty()) return;
  running.until = page.events.back()->id;
  const std::uint64_t forgotten = events_->forgotten_until() > running.hook.delivered ? events_->forgotten_until() : 0;
  running.call = HookCall::begin(loop_, running.hook, hook_body(running.hook, page.events, forgotten),
                                 [this, name](const std::string& problem) { on_done(name, problem); });
}

void Hooks::on_done(const std::string& name, const std::string& problem) {
  const auto found = hooks_.find(name);
  if (found == hooks_.end()) return;
  Running& running = found->second;
  running.call.reset();
  running.problem = problem;
  if (!problem.empty()) {
    if (running.failures++ == 0) log_warning("hook_failed", {{"hook", name}, {"reason", problem}});
    running.timer->start(running.wait);
    running.wait = std::min(running.wait * 2, kLongestWait);
    return;
  }
  running.failures = 0;
  running.wait = kFirstWait;
  running.hook.delivered = running.until;
  if (const Status written = write(); !written.ok()) log_error("hooks_not_written", {{"error", written.error()}});
  running.timer->start(kPause);
}

}  // namespace rowhouse::control
