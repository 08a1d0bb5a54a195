// The control socket to the supervisor (descriptor 3).  Decodes what arrives and hands it over; keeps what
// the socket does not take at once.  The supervisor is trusted: bytes that are no message of ours are a
// mistake of our own and end the program.
#pragma once

#include <deque>
#include <string>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "control/inquiries.h"
#include "control/tenant_inquiries.h"
#include "proto/live_messages.h"
#include "proto/reload_messages.h"
#include "proto/usage_messages.h"

namespace rowhouse::control {

class SupervisorListener {
 public:
  virtual ~SupervisorListener() = default;
  // Before the setup.
  virtual void on_usage_directory(UniqueFd directory) = 0;
  virtual void on_setup(UniqueFd listener, UniqueFd logs) = 0;
  virtual void on_admin(const proto::ControlAdmin& admin) = 0;
  virtual void on_tenant(const proto::TenantInfo& tenant) = 0;
  virtual void on_tenant_suspension(const proto::TenantSuspension& suspension) = 0;
  virtual void on_tenant_problem(const proto::TenantProblem& problem, UniqueFd sentences) = 0;
  virtual void on_log_source(const proto::LogSource& source, UniqueFd pipe) = 0;
  virtual void on_access_source(const proto::AccessSource& source, UniqueFd socket) = 0;
  virtual void on_death(const proto::Death& death) = 0;
  virtual void on_host_death(const proto::HostDeath& death) = 0;
  virtual void on_notice(const proto::AppNotice& notice) = 0;
  virtual void on_app_info(const proto::AppInfo& info) = 0;
  virtual void on_worker_info(const proto::WorkerInfo& info) = 0;
  virtual void on_query_end(const proto::QueryEnd& end) = 0;
  virtual void on_command_done(const proto::CommandDone& done) = 0;
  virtual void on_app_usage(const proto::AppUsage& usage) = 0;
  virtual void on_app_traffic(const proto::AppTraffic& traffic) = 0;
  virtual void on_tenant_usage(const proto::TenantUsage& usage) = 0;
  virtual void on_reload_change(const proto::ReloadChange& change) = 0;
  virtual void on_tenant_change(const proto::TenantChange& change) = 0;
  virtual void on_reload_done(const proto::ReloadDone& done, UniqueFd sentences) = 0;
  virtual void on_upgrade_done(const proto::UpgradeDone& done) = 0;
  virtual void on_tenant_written(const proto::TenantWritten& written, UniqueFd sentences) = 0;
  virtual void on_tenant_detail(const proto::TenantDetail& detail) = 0;
  virtual void on_tenant_domain(const proto::TenantDetailDomain& domain) = 0;
  virtual void on_tenant_query_end(const proto::TenantQueryEnd& end) = 0;
  // A new supervisor is at the other end: repeat what is not answered.
  virtual void on_resync() = 0;
  // Another control process shall take this one's place.
  virtual void on_retire(const proto::ControlRetire& retire) = 0;
  // The socket is at its end, or broken.
  virtual void on_supervisor_gone(const char* reason) = 0;
};

class SupervisorLink final : public InquirySender, public TenantOrderSender {
 public:
  static constexpr int kMaxTurnMessages = 64;

  SupervisorLink(uv_loop_t* loop, UniqueFd socket, SupervisorListener& listener);
  void send_ready();
  void send_query(const proto::Query& query) override;
  void send_command(const proto::Command& command) override;
  void send_reload(const proto::ReloadOrder& order) override;
  void send_reload_tenant(const proto::ReloadTenantOrder& order) override;
  void send_stored(const proto::DeathStored& stored);
  void send_upgrade(const proto::UpgradeOrder& order) override;
  void send_draft(const TenantDraftText& draft) override;
  void send_removal(const proto::TenantRemoval& removal) override;
  void send_tenant_query(const proto::TenantQuery& query) override;
  void send_manifest(const proto::ManifestOrder& order, int text) override;

 private:
  enum class Phase { kSetup, kRunning };
  void on_ready(int events);
  void read_messages();
  Status dispatch(proto::IncomingMessage& message);
  Status dispatch_running(proto::IncomingMessage& message);
  Status dispatch_answer(proto::IncomingMessage& message);
  Status dispatch_tenant_answer(proto::IncomingMessage& message);
  struct Waiting {
    std::vector<std::uint8_t> bytes;
    UniqueFd descriptor;  // or invalid
  };
  template <typename M>
  void send(const M& message, int descriptor = -1);
  void flush();
  void watch();

  UniqueFd socket_;
  SupervisorListener& listener_;
  Phase phase_ = Phase::kSetup;
  // At most one question for each connection of the API, with a draft's domains, and one answer for each ping.
  std::deque<Waiting> outbox_;
  Poll poll_;
};

}  // namespace rowhouse::control
