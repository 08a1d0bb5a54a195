#include "control/error_index.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/log.h"
#include "base/printable.h"
#include "control/journal.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

constexpr const char* kFileName = "_errors.jsonl";

std::string path_of(std::string_view target) {
  return escape_line(target.substr(0, std::min(target.find('?'), ErrorIndex::kMaxTextBytes)));
}

Json error_json(const AppName& app, const proto::AccessRecord& record) {
  Json json{{"id", error_id_text(record.error_id)},
            {"at", format_rfc3339(record.at_ms)},
            {"status", record.status},
            {"code", proto::cause_name(record.cause)},
            {"cause", static_cast<std::uint16_t>(record.cause)}};
  if (!app.tenant.empty()) json["tenant"] = app.tenant;
  if (!app.app.empty()) json["app"] = app.app;
  json["request"] = {{"method", escape_line(record.method.substr(0, ErrorIndex::kMaxTextBytes))},
                     {"path", path_of(record.target)},
                     {"host", escape_line(record.host.substr(0, ErrorIndex::kMaxTextBytes))},
                     {"id", escape_line(record.request_id)},
                     {"queue_ms", record.queue_us / 1000},
                     {"app_ms", record.app_us / 1000}};
  return json;
}

}  // namespace

std::string error_id_text(std::uint64_t id) {
  char text[24];
  std::snprintf(text, sizeof text, "%016" PRIx64, id);
  return text;
}

bool is_error_id(std::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 16 && std::all_of(text.begin(), text.end(), is_digit);
}

void ErrorIndex::add(const AppName& app, const proto::AccessRecord& record) {
  Ring& ring = rings_[app.tenant];
  ring.entries.push_back({error_id_text(record.error_id), dump_json(error_json(app, record))});
  if (ring.entries.size() > kKeptErrors) ring.entries.pop_front();
  if (app.tenant.empty()) return;
  ring.unwritten = std::min(ring.unwritten + 1, ring.entries.size());
  dirty_.insert(app.tenant);
  if (!writing_.active()) writing_.start(kWritePeriod);
}

FoundError ErrorIndex::find(std::string_view id, const std::vector<std::string>& tenants) {
  const auto take = [](const std::string& line) {
    Json json = parse_object(line);
    return FoundError{{text_of(json, "tenant"), text_of(json, "app")}, std::move(json)};
  };
  for (const std::string& tenant : tenants) {
    const auto ring = rings_.find(tenant);
    if (ring == rings_.end()) continue;
    for (const Entry& entry : ring->second.entries) {
      if (entry.id == id) return take(entry.line);
    }
  }
  const std::string mark = "{\"id\":\"" + std::string(id) + "\"";
  for (const std::string& tenant : tenants) {
    const auto directory = tenant.empty() ? Result<UniqueFd>(make_error(ErrorCode::kNotFound, "no directory"))
                                          : directory_->open_history(tenant, Missing::kFail);
    if (!directory.ok()) continue;
    const auto lines = read_lines(directory.value().get(), kFileName, kMaxFileBytes);
    if (!lines.ok()) continue;
    for (const std::string& line : lines.value()) {
      if (line.starts_with(mark)) return take(line);
    }
  }
  return {};
}

void ErrorIndex::write() {
  for (std::size_t count = 0; count < kWritesPerTurn && !dirty_.empty(); ++count) {
    const std::string tenant = *dirty_.begin();
    dirty_.erase(dirty_.begin());
    write_ring(tenant, rings_[tenant]);
  }
  if (!dirty_.empty()) writing_.start(kWritePeriod);
}

void ErrorIndex::write_all_now() {
  for (const std::string& tenant : dirty_) write_ring(tenant, rings_[tenant]);
  dirty_.clear();
}

// What cannot be written is known as long as this process lives.
void ErrorIndex::write_ring(const std::string& tenant, Ring& ring) {
  std::string lines;
  const auto first = ring.entries.end() - static_cast<std::ptrdiff_t>(ring.unwritten);
  for (auto entry = first; entry != ring.entries.end(); ++entry) lines.append(entry->line).append("\n");
  ring.unwritten = 0;
  const auto directory = directory_->open_history(tenant, Missing::kCreate);
  const auto size = directory.ok() ? append_lines(directory.value().get(), kFileName, lines, Durability::kLater)
                                   : Result<std::uint64_t>(directory.error());
  if (!size.ok()) {
    log_warning("errors_not_written", {{"tenant", tenant}, {"error", size.error()}});
    return;
  }
  if (size.value() <= kMaxFileBytes) return;
  auto kept = read_lines(directory.value().get(), kFileName, kMaxFileBytes / 2);
  if (kept.ok() && kept.value().size() > kKeptErrors) {
    kept.value().erase(kept.value().begin(), kept.value().end() - static_cast<std::ptrdiff_t>(kKeptErrors));
  }
  const Status replaced = kept.ok() ? replace_lines(directory.value().get(), kFileName, kept.value())
                                    : Status(kept.error());
  if (!replaced.ok()) log_warning("errors_not_tidied", {{"tenant", tenant}, {"error", replaced.error()}});
}

}  // namespace rowhouse::control
