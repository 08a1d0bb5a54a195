// One gateway process: its loop, the supervisor's wishes, listeners, connections, and how it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "gateway/access_log.h"
#include "gateway/client_counts.h"
#include "gateway/http1_connection.h"
#include "gateway/listener.h"
#include "gateway/share.h"
#include "gateway/sites.h"
#include "gateway/supervisor_link.h"
#include "gateway/workbench.h"

namespace rowhouse::gateway {

class Gateway final : public SupervisorListener,
                      public ClientListener,
                      public ConnectionListener,
                      public AppListener {
 public:
  // `max_connections`: beyond it clients get 503.
  Gateway(UniqueFd control, const Clock& clock, std::size_t max_connections);
  ~Gateway() override;

  // Runs until the supervisor has gone or asked to retire; the exit status.
  [[nodiscard]] int run();

 private:
  Status on_message(const proto::GatewaySetup& message, UniqueFd access_log, UniqueFd shared_table) override;
  Status on_message(const proto::GatewayOptions& message) override;
  Status on_message(const proto::AcmeDirectory& message, UniqueFd root) override;
  Status on_message(const proto::SpoolDirectory& message, UniqueFd directory) override;
  Status on_message(const proto::TrustedProxy& message) override;
  Status on_message(const proto::Listener& message, UniqueFd socket) override;
  Status on_message(const proto::ListenerGone& message) override;
  Status on_message(const proto::AppBegin& message) override;
  Status on_message(const proto::AppRoute& message) override;
  Status on_message(const proto::AppStatic& message, UniqueFd root) override;
  Status on_message(const proto::AppPart& message, UniqueFd part) override;
  Status on_message(const proto::AppRetry& message) override;
  Status on_message(const proto::AppCommit& message) override;
  Status on_message(const proto::AppRemove& message) override;
  Status on_message(const proto::AppConditionChange& message) override;
  Status on_message(const proto::WorkerAdd& message, UniqueFd channel) override;
  Status on_message(const proto::WorkerGone& message) override;
  Status on_message(const proto::Switch& message) override;
  Status on_message(const proto::Probe& message) override;
  Status on_message(const proto::WorkerLeaving& message) override;
  Status on_message(const proto::Retire& message) override;
  Status on_message(const proto::Resync& message) override;
  void on_supervisor_lost(const Error& error) override;

  void on_client(UniqueFd socket, ClientAddress address, Preface preface) override;
  void listen_on(UniqueFd socket, const ListenerIdentity& identity);
  std::unique_ptr<Listener> take_listener(std::uint32_t number);
  [[nodiscard]] bool admit(ClientAddress& address) override;
  void on_fault(const ClientAddress& address) override;
  void on_connection_closed(Http1Connection& connection) override;
  void on_worker_fault(const WorkerIdentity& worker, proto::FaultKind kind) override;
  void on_app_wanted(std::uint32_t app) override { link_.send(proto::AppWanted{app}); }
  void on_probed(const proto::Probed& answer) override { link_.send(answer); }

  void on_crowd(const ClientAddress& address);
  void on_turn_finished();
  void arm_timer();
  void finish(int status);

  const Clock& clock_;
  const std::size_t max_connections_;
  Loop loop_;
  UniqueFd spool_;  // jobs of the bench have its number
  Workbench bench_;
  Timer timer_;  // of all deadlines
  std::optional<Instant> timer_at_;
  Deadline drain_deadline_;
  ShareTable shares_;
  Sites sites_;
  SupervisorLink link_;
  std::unique_ptr<AccessLog> access_log_;  // from GatewaySetup on
  std::vector<std::unique_ptr<Listener>> listeners_;
  struct EarlyListener {
    UniqueFd socket;
    ListenerIdentity identity;
  };
  std::vector<EarlyListener> early_listeners_;  // that came before GatewaySetup
  std::vector<std::unique_ptr<Http1Connection>> connections_;
  std::optional<ClientCounts> clients_;    // from GatewaySetup on
  std::optional<ClientPenalties> penalties_;  // unless switched off
  ProxyRules proxies_;
  std::optional<Instant> crowd_logged_at_;
  bool retiring_ = false;
  int status_ = 0;
};

}  // namespace rowhouse::gateway
