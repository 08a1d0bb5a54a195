#include "control/event_log.h"

#include <algorithm>

#include "base/log.h"
#include "control/journal.h"
#include "control/timestamp.h"

namespace rowhouse::control {

void EventLog::open(const LogDirectory& directory) {
  directory_ = &directory;
  const auto history = directory.open_history("", Missing::kFail);
  if (!history.ok()) return;
  const auto lines = read_lines(history.value().get(), store_.file, kMaxFileBytes);
  if (!lines.ok()) {
    log_warning("events_not_read", {{"error", lines.error()}});
    return;
  }
  for (const std::string& line : lines.value()) {
    const Json json = parse_object(line);
    const std::uint64_t id = number_of(json, "id");
    if (id < next_id_) continue;
    keep({id, text_of(json, "type"), text_of(json, "tenant"), text_of(json, "app"), line});
    next_id_ = id + 1;
  }
  if (!events_.empty()) {
    forgotten_until_ = std::max(forgotten_until_, events_.front().id - 1);
    next_id_ += kIdGap;
  }
}

void EventLog::add(std::string_view type, const AppName& app, Json fields, std::int64_t at_ms) {
  Event event{next_id_++, std::string(type), app.tenant, app.app, {}};
  Json json{{"id", event.id}, {"at", format_rfc3339(at_ms != 0 ? at_ms : clock_.wall_ms())}, {"type", event.type}};
  if (!app.tenant.empty()) json["tenant"] = app.tenant;
  if (!app.app.empty()) json["app"] = app.app;
  for (auto& [name, value] : fields.items()) {
    if (value.is_string() && value.get_ref<const std::string&>().size() > kMaxTextBytes) {
      value = value.get<std::string>().substr(0, kMaxTextBytes);
    }
    json[name] = std::move(value);
  }
  event.json = dump_json(json);
  write(event);
  keep(std::move(event));
  listener_.on_event(events_.back());
}

void EventLog::keep(Event event) {
  make_room(event.tenant);
  ++counts_[event.tenant];
  bytes_ += event.json.size();
  events_.push_back(std::move(event));
}

// Of the tenant that has its share already, else of all, the oldest goes.
void EventLog::make_room(const std::string& tenant) {
  auto oldest = events_.end();
  if (!tenant.empty() && counts_[tenant] >= kMaxPerTenant) {
    oldest = std::find_if(events_.begin(), events_.end(), [&](const Event& each) { return each.tenant == tenant; });
  } else if (events_.size() >= kMaxEvents) {
    oldest = events_.begin();
  }
  if (oldest == events_.end()) return;
  if (--counts_[oldest->tenant] == 0) counts_.erase(oldest->tenant);
  forgotten_until_ = std::max(forgotten_until_, oldest->id);
  bytes_ -= oldest->json.size();
  events_.erase(oldest);
}

// An event that cannot be written is shown all the same, until this process ends.
void EventLog::write(const Event& event) {
  if (directory_ == nullptr) return;
  const auto history = directory_->open_history("", Missing::kCreate);
  const auto size = history.ok()
                        ? append_lines(history.value().get(), store_.file, event.json + "\n", store_.durability)
                        : Result<std::uint64_t>(history.error());
  if (!size.ok()) {
    log_warning("event_not_written", {{"error", size.error()}});
    return;
  }
  if (size.value() <= 2 * bytes_ + kMaxWasteBytes) return;
  rewrite(history.value().get(), &event);
}

void EventLog::rewrite(int history_fd, const Event* added) {
  std::vector<std::string> lines;
  for (const Event& kept : events_) lines.push_back(kept.json);
  if (added != nullptr) lines.push_back(added->json);
  const Status replaced = replace_lines(history_fd, store_.file, lines);
  if (!replaced.ok()) log_warning("events_not_tidied", {{"error", replaced.error()}});
}

void EventLog::forget(const std::string& tenant) {
  std::erase_if(events_, [&](const Event& event) {
    if (event.tenant != tenant) return false;
    bytes_ -= event.json.size();
    return true;
  });
  counts_.erase(tenant);
  if (directory_ == nullptr) return;
  const auto history = directory_->open_history("", Missing::kCreate);
  if (history.ok()) rewrite(history.value().get(), nullptr);
}

EventLog::Page EventLog::read(std::uint64_t since, std::size_t limit, const Filter& filter) const {
  Page page;
  page.next = since;
  const auto first = std::upper_bound(events_.begin(), events_.end(), since,
                                      [](std::uint64_t id, const Event& event) { return id < event.id; });
  for (auto event = first; event != events_.end(); ++event) {
    if (page.events.size() == limit) return page;
    page.next = event->id;
    if (filter(*event)) page.events.push_back(&*event);
  }
  return page;
}

}  // namespace rowhouse::control
