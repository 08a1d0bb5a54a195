// What happened on this host, from what the supervisor, gateways and callers of the API say: stories of deaths, errors
// that visitors saw, and the stream of events.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/audit.h"
#include "control/error_index.h"
#include "control/event_log.h"
#include "control/log_book.h"
#include "control/registry.h"
#include "control/stories.h"

namespace rowhouse::control {

class Chronicle final : public RequestListener {
 public:
  // All must outlive this object.
  Chronicle(uv_loop_t* loop, const Clock& clock, EventListener& listener, Stories::StoredCallback on_stored);
  // REQUIRES: before everything else.
  void open(const LogDirectory& directory);
  // The last act of the program.
  void close();

  // A death in all its places: the app's log, its story, the events.  One that is repeated is only acknowledged.
  void add_death(const AppName& app, const proto::Death& death, LogBook& book);
  void add_host_death(const proto::HostDeath& death);
  void add_notice(const AppName& app, const proto::AppNotice& notice, const std::string& suspension);
  void add_problem(const std::string& tenant, const std::vector<std::string>& sentences);
  // Somebody ordered "restart" ... through the API.
  void add_order(const AppName& app, std::string_view order, std::uint32_t uid);
  void add_outcome(const AppName& app, proto::CommandKind kind, const proto::CommandDone& done,
                   std::string_view detail);
  void add_reload(std::uint32_t changes);
  // Somebody changed the tenant through the API: "put", "change", "suspend", "unsuspend", "manifest".
  void add_tenant_order(const std::string& tenant, std::string_view order, std::uint32_t uid);
  enum class Purged : std::uint8_t { kNo, kYes };
  void add_removal(const std::string& tenant, std::uint32_t uid, Purged purged);
  // Nothing that was known of the tenant's apps is known any more.
  void forget_tenant(const std::string& tenant);

  [[nodiscard]] Stories& stories() { return stories_; }
  [[nodiscard]] ErrorIndex& errors() { return errors_; }
  [[nodiscard]] EventLog& events() { return events_; }
  [[nodiscard]] Audit& audit() { return audit_; }

 private:
  void on_failed_request(const AppName& app, const proto::AccessRecord& record) override;
  void on_running_request(const AppName& app, const proto::RunningRecord& record) override;
  [[nodiscard]] bool is_told(const AppName& app, const proto::Death& death) const;
  void add_death_events(const AppName& app, const proto::Death& death, std::string_view last_line);

  Stories::StoredCallback on_stored_;
  Stories stories_;
  ErrorIndex errors_;
  EventLog events_;
  Audit audit_;
};

}  // namespace rowhouse::control
