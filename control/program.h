// rowhouse-control put together: what the supervisor tells goes into the registry and the logs, what clients
// ask goes through the API.
#pragma once

#include "base/clock.h"
#include "base/loop.h"
#include "control/api.h"
#include "control/hooks.h"
#include "control/supervisor_link.h"
#include "control/usage_ledger.h"

namespace rowhouse::control {

class Program final : SupervisorListener {
 public:
  explicit Program(UniqueFd control_socket);
  // Until the supervisor has gone.  The exit status of the program.
  int run();

 private:
  void on_usage_directory(UniqueFd directory) override { ledger_.open(std::move(directory)); }
  void on_setup(UniqueFd listener, UniqueFd logs) override;
  void on_admin(const proto::ControlAdmin& admin) override { registry_.add_admin(admin.uid); }
  void on_tenant(const proto::TenantInfo& tenant) override;
  void on_tenant_suspension(const proto::TenantSuspension& suspension) override;
  void on_tenant_problem(const proto::TenantProblem& problem, UniqueFd sentences) override;
  void on_log_source(const proto::LogSource& source, UniqueFd pipe) override;
  void on_access_source(const proto::AccessSource& source, UniqueFd socket) override;
  void on_death(const proto::Death& death) override;
  void on_host_death(const proto::HostDeath& death) override { chronicle_.add_host_death(death); }
  void on_notice(const proto::AppNotice& notice) override;
  void on_app_info(const proto::AppInfo& info) override;
  void on_worker_info(const proto::WorkerInfo& info) override { inquiries_.on_worker_info(info); }
  void on_query_end(const proto::QueryEnd& end) override { inquiries_.on_query_end(end); }
  void on_command_done(const proto::CommandDone& done) override { inquiries_.on_command_done(done); }
  void on_app_usage(const proto::AppUsage& usage) override;
  void on_app_traffic(const proto::AppTraffic& traffic) override;
  void on_tenant_usage(const proto::TenantUsage& usage) override;
  void on_reload_change(const proto::ReloadChange& change) override;
  void on_tenant_change(const proto::TenantChange& change) override;
  void on_tenant_written(const proto::TenantWritten& written, UniqueFd sentences) override;
  void on_tenant_detail(const proto::TenantDetail& detail) override { tenants_.on_detail(detail); }
  void on_tenant_domain(const proto::TenantDetailDomain& domain) override { tenants_.on_domain(domain); }
  void on_tenant_query_end(const proto::TenantQueryEnd& end) override { tenants_.on_query_end(end); }
  void on_reload_done(const proto::ReloadDone& done, UniqueFd sentences) override;
  void on_upgrade_done(const proto::UpgradeDone& done) override { inquiries_.on_upgrade_done(done); }
  void on_resync() override;
  void on_retire(const proto::ControlRetire& retire) override;
  void on_supervisor_gone(const char* reason) override;

  Loop loop_;
  SystemClock clock_;
  Registry registry_;
  ApiServer server_;
  Followers followers_;
  EventFollowers event_followers_;
  Hooks hooks_;
  EventSpread event_spread_;
  Chronicle chronicle_;
  LogBook book_;
  SupervisorLink link_;
  Inquiries inquiries_;
  TenantInquiries tenants_;
  UsageLedger ledger_;
  Api api_;
  Timer sweep_;
  Timer retired_;
  Signal terminate_;
};

}  // namespace rowhouse::control
