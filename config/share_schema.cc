#include "config/share_schema.h"

#include <algorithm>
#include <map>
#include <string>

#include "config/names.h"

namespace rowhouse::config {
namespace {

constexpr std::string_view kFirstWithOwnGil = "3.13";

Parsed<proto::GilOwner> parse_gil(std::string_view text) {
  if (text == "own") return proto::GilOwner::kInterpreter;
  if (text == "shared") return proto::GilOwner::kProcess;
  return Problem{"must be shared or own"};
}

// "3.9" is before "3.13".
bool is_older(const std::string& version, std::string_view other) {
  if (version.size() != other.size()) return version.size() < other.size();
  return version < other;
}

// A setting that is the process's own.
struct ProcessKey {
  std::string_view name;  // as the manual writes it
  std::string_view key;   // of the app's map
  bool (*same)(const App& a, const App& b);
};

template <auto Field>
bool same_field(const App& a, const App& b) {
  return a.record.*Field == b.record.*Field;
}

bool same_workers(const App& a, const App& b) {
  return a.record.workers_min == b.record.workers_min && a.record.workers_max == b.record.workers_max;
}

using Record = proto::AppRecord;

constexpr ProcessKey kProcessKeys[] = {
    {"python", "python", [](const App& a, const App& b) { return a.record.python.view() == b.record.python.view(); }},
    {"virtualenv", "virtualenv", [](const App& a, const App& b) { return a.virtualenv.path == b.virtualenv.path; }},
    {"workers", "workers", same_workers},
    {"limits.memory", "limits", same_field<&Record::memory_bytes>},
    {"limits.cpu", "limits", same_field<&Record::cpu_percent>},
    {"limits.pids", "limits", same_field<&Record::pids>},
    {"timeouts.startup", "timeouts", same_field<&Record::startup_ms>},
    {"timeouts.graceful", "timeouts", same_field<&Record::graceful_ms>},
    {"timeouts.shutdown", "timeouts", same_field<&Record::shutdown_ms>},
    {"timeouts.idle", "timeouts", same_field<&Record::idle_ms>},
    {"max_requests", "max_requests", same_field<&Record::max_requests>},
    {"max_lifetime", "max_lifetime", same_field<&Record::max_lifetime_ms>},
    {"max_memory", "max_memory", same_field<&Record::max_memory_bytes>},
};

std::string told_apart(const App& app) {
  return "app " + quote(app.record.name.view()) + " (line " + std::to_string(app.share_position.line) + ")";
}

// Where the app says it, or where it says that it shares.
Position position_of(const App& app, std::string_view key) {
  const auto found = app.process_positions.find(std::string(key));
  return found == app.process_positions.end() ? app.share_position : found->second;
}

void compare(const App& first, const App& app, Diagnostics& diagnostics) {
  for (const ProcessKey& each : kProcessKeys) {
    if (each.same(first, app)) continue;
    diagnostics.add(position_of(app, each.key), quote(each.name) + " must be what " + told_apart(first) + " of share " +
                                                    quote(app.share) + " has: the apps of a share are one process");
  }
}

void refuse_second_check(const App& checked, const App& app, Diagnostics& diagnostics) {
  diagnostics.add(position_of(app, "health"), "\"health\" is said by " + told_apart(checked) + " of share " +
                                                  quote(app.share) + " already: one check speaks for the whole process");
}

}  // namespace

void read_share(const MapReader& reader, App& app) {
  const auto share = reader.parsed("share", parse_name);
  const auto gil = reader.parsed("gil", parse_gil);
  if (gil && reader.find("share") == nullptr) {
    reader.diagnostics().add(reader.position_of("gil"), "\"gil\" is for apps that share their process: it needs \"share\"");
  }
  if (!share) return;
  app.share = *share;
  app.share_position = reader.position_of("share");
  for (const std::string_view key : {"python", "virtualenv", "workers", "limits", "timeouts", "max_requests",
                                     "max_lifetime", "max_memory", "health"}) {
    if (reader.find(key) != nullptr) app.process_positions.emplace(key, reader.position_of(key));
  }
  if (gil) app.part.gil = *gil;
  const std::string python = app.record.python.str();
  if (gil == proto::GilOwner::kInterpreter && is_older(python, kFirstWithOwnGil)) {
    reader.diagnostics().add(reader.position_of("gil"), "\"gil: own\" needs Python 3.13 or newer, and the app has " +
                                                            python + "; there modules of the standard library break in it");
  }
  if (app.record.preload) {
    reader.diagnostics().add(reader.position_of("preload"),
                             "\"preload\" does not go with \"share\": a fork has one thread, and the interpreters of a share "
                             "have one each");
  }
}

void check_shares(std::span<const App> apps, Diagnostics& diagnostics) {
  struct Seen {
    const App* first = nullptr;
    const App* checked = nullptr;  // has the health check
    std::size_t apps = 0;
  };
  std::map<std::string_view, Seen> shares;
  for (const App& app : apps) {
    if (app.share.empty()) continue;
    Seen& seen = shares[app.share];
    if (++seen.apps == proto::kMaxAppsPerShare + 1) {
      diagnostics.add(app.share_position, "share " + quote(app.share) + " has more than " +
                                              std::to_string(proto::kMaxAppsPerShare) + " apps, which is the most");
    }
    if (seen.first != nullptr) compare(*seen.first, app, diagnostics);
    if (seen.first == nullptr) seen.first = &app;
    if (app.record.health_path.empty()) continue;
    if (seen.checked != nullptr) refuse_second_check(*seen.checked, app, diagnostics);
    if (seen.checked == nullptr) seen.checked = &app;
  }
}

std::vector<const App*> share_of(const App& app, std::span<const App> apps) {
  std::vector<const App*> all;
  for (const App& each : apps) {
    if (&each == &app || (!app.share.empty() && each.share == app.share)) all.push_back(&each);
  }
  std::sort(all.begin(), all.end(),
            [](const App* a, const App* b) { return a->record.name.view() < b->record.name.view(); });
  return all;
}

}  // namespace rowhouse::config
