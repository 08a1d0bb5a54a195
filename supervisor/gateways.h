// The gateway processes: started, replaced when they die or hang (with backoff), told the same things in the same
// order.
//
// The life of one column of the shared table:
//
//          launch               GatewayReady            Retire
//   free ----------> launching -------------> active -----------> leaving
//    ^ ^               |    |                  |  ^                  |
//    | |   successor   |    |  ended           |  |  Resynced        |
//    | +---- ended ----+    v                  |  |                  |
//    |               backing off <--- ended ---+  resyncing <--- adopt()
//    |                 |    |                                        |
//    |  place is taken |    |  time over: launch                     |
//    +-----------------+    +-----------> launching                  |
//    +------------------------- ended -------------------------------+
//
//   launching    in running_, not ready()       resyncing    in resyncing_, running_ and ready(); told nothing yet
//   active       in running_ and ready()        backing off  restarts_ is active
//   leaving      in leaving_ and running_       successor    launching for replace(): replacement_->launching
//
// Killed, and then as ended (a resyncing one as an active one): who is launching for kReadyDeadline; who answers no
// ping for a while, also when leaving; who says what it may not.  Order::count counts launching, resyncing and
// active ones; replace() may have more of them until it is done and then sends home what is too much.  After
// retire() nobody is launched or pinged any more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "proto/control_messages.h"
#include "proto/gateway_messages.h"
#include "supervisor/backoff.h"
#include "supervisor/cgroups.h"
#include "supervisor/doors.h"
#include "supervisor/graveyard.h"
#include "supervisor/keeper_link.h"
#include "supervisor/launcher.h"
#include "supervisor/peer_link.h"
#include "supervisor/shared_rows.h"

namespace rowhouse::supervisor {

// One running gateway.
class Gateway final : public Mortal {
 public:
  // `kept`: its control socket in the keeper's store.
  Gateway(uv_loop_t* loop, LaunchedProcess process, Kept kept, UniqueFd control, PeerLink::Events events)
      : index_(kept.record().worker),
        process_(std::move(process)),
        kept_(std::move(kept)),
        link_(loop, std::move(control), proto::Peer::kGateway, std::move(events)) {}

  [[nodiscard]] std::uint32_t index() const { return index_; }
  // Later ones have higher numbers.
  [[nodiscard]] std::uint32_t start_number() const { return kept_.record().generation; }
  [[nodiscard]] const LaunchedProcess& process() const { return process_; }
  [[nodiscard]] PeerLink& link() { return link_; }
  [[nodiscard]] bool ready() const { return link_.running(); }

 private:
  std::uint32_t index_;
  LaunchedProcess process_;
  Kept kept_;
  PeerLink link_;
};

// What a gateway that was taken over says it has.
struct GatewaySaid {
  // By app: its workers, as generation and number.
  std::map<std::uint32_t, std::set<std::pair<std::uint32_t, std::uint32_t>>> apps;
  std::size_t messages = 0;
};

class GatewaysListener {
 public:
  virtual ~GatewaysListener() = default;
  // A fresh gateway: tell it every app.
  virtual void on_gateway_started(Gateway& gateway) = 0;
  // One that was taken over: bring it up to date.
  virtual void on_gateway_resynced(Gateway& gateway, const GatewaySaid& said) = 0;
  // All that were taken over are up to date, or have died.
  virtual void on_gateways_settled() = 0;
  virtual void on_worker_fault(const proto::WorkerFault& fault) = 0;
  virtual void on_app_wanted(std::uint32_t app) = 0;
  virtual void on_probed(const proto::Probed& answer) = 0;
  virtual void on_gateway_ready() = 0;
  virtual void on_gateway_died(const proto::HostDeath& death) = 0;
  virtual void on_all_gateways_retired() = 0;
  // The receiving end of a gateway's access records: hand it to control.
  virtual void on_access_socket(std::uint32_t gateway, int socket) = 0;
};

enum class ReplaceOutcome : std::uint8_t { kDone, kFailed };

class Gateways {
 public:
  struct Order {
    uv_loop_t* loop = nullptr;
    const Clock* clock = nullptr;
    Launcher* launcher = nullptr;
    Graveyard* graveyard = nullptr;
    SharedRows* rows = nullptr;
    int program = -1;
    UniqueFd empty_root;  // the gateways' root directory
    UniqueFd spool;       // as in proto::SpoolDirectory
    LaunchUser user;
    Cgroup cgroup;
    std::uint32_t count = 1;
    std::uint32_t connections_per_address = 0;  // as in proto::GatewaySetup
    std::vector<Door> doors;
    std::vector<std::uint32_t> doors_gone;  // that gateways which are taken over may still have
    proto::GatewayOptions options;
    UniqueFd acme_directory;  // invalid: none
    std::uint32_t acme_uid = 0;
    std::vector<proto::TrustedProxy> trusted_proxies;
  };
  Gateways(Order order, GatewaysListener& listener);

  void start();
  // Takes over those of an earlier supervisor and starts the missing ones.
  void adopt(Estate& estate);
  [[nodiscard]] bool settled() const { return resyncing_.empty(); }
  // Stops accepting everywhere; on_all_gateways_retired when the last has ended.
  void retire(std::chrono::milliseconds drain);
  void kill();
  // Puts a new process in the place of each; an old one drains when its successor is ready.  On failure the old
  // ones that are left stay.
  void replace(std::function<void(ReplaceOutcome)> on_done);
  // From the keeper; false when the child is none of ours.
  bool on_child_exit(std::uint64_t child, int code, int status);

  // Those that are told what happens; one that was taken over is not before it has said what it knows.
  template <typename Visitor>
  void for_each(Visitor visit) {
    for (const auto& gateway : running_) {
      if (gateway != nullptr && !resyncing_.contains(gateway->index())) visit(*gateway);
    }
  }
  template <proto::ControlMessage M>
  void tell_all(const M& message) {
    for_each([&](Gateway& gateway) { gateway.link().send(message); });
  }
  // Tells all gateways and calls back when each has confirmed or died.
  void switch_to(std::uint32_t app, std::uint32_t generation, std::function<void()> on_done);
  [[nodiscard]] bool all_ready() const;
  [[nodiscard]] const std::vector<Door>& doors() const { return order_.doors; }
  // To be given back by set_doors() at once.
  [[nodiscard]] std::vector<Door> take_doors() { return std::move(order_.doors); }
  // All gateways listen at these doors from now on and no more at those of the numbers.
  void set_doors(std::vector<Door> doors, const std::vector<std::uint32_t>& gone);
  // For a fresh control process.
  void offer_access_sockets();

 private:
  static constexpr std::chrono::seconds kPingPeriod{1};
  // A fresh one says that it is ready before it is told of any app, so this does not grow with the host.
  static constexpr std::chrono::seconds kReadyDeadline{10};
  struct PendingSwitch {
    std::set<std::uint32_t> waiting;  // gateway indexes
    std::function<void()> on_done;
  };

  void start_one(std::uint32_t index);
  void install(std::uint32_t index, LaunchedProcess process, Kept kept, UniqueFd control);
  void on_said(std::uint32_t index, proto::IncomingMessage& message);
  void settle(std::uint32_t index);
  Status launch(std::uint32_t index);
  void on_message(std::uint32_t index, proto::IncomingMessage& message);
  void on_closed(std::uint32_t index, const char* reason);
  void tell_doors(Gateway& gateway);
  void confirm(std::uint32_t index, std::uint32_t app, std::uint32_t generation);
  void forget(std::uint32_t index);
  [[nodiscard]] proto::HostDeath death_of(const Gateway& gateway, int code, int status);
  void ping();
  // Owes an answer, or its being ready, for too long.
  [[nodiscard]] bool is_stuck(const Gateway& gateway) const;
  void go_on_replacing();
  void finish_replacing(ReplaceOutcome outcome);
  void send_home(std::uint32_t index);
  void kill(std::uint32_t index);
  // Whose leaving costs least.  REQUIRES: one that is not leaving.
  [[nodiscard]] std::uint32_t find_surplus() const;
  void on_replaced_ready(std::uint32_t index);
  void on_replacement_late();
  bool is_departure(std::uint32_t index);
  [[nodiscard]] std::size_t count_active() const;
  [[nodiscard]] std::optional<std::uint32_t> find_free_column() const;

  Order order_;
  GatewaysListener& listener_;
  // By index, which is the column in the shared table: more than there are gateways, so that one can leave while
  // its successor works already.  Null: free, or being started again.
  std::vector<std::unique_ptr<Gateway>> running_;
  std::vector<UniqueFd> access_sockets_;           // receiving ends, by index
  std::vector<Kept> kept_access_;                  // the same in the keeper's store
  std::map<std::uint32_t, GatewaySaid> resyncing_;
  std::vector<Backoff> backoffs_;
  std::vector<std::unique_ptr<Timer>> restarts_;
  // Pings without an answer, or of one that is launching as many periods.
  std::vector<int> unanswered_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, PendingSwitch> switches_;  // by app and generation
  std::uint64_t oom_kills_ = 0;  // of their cgroup, at the last death
  bool retiring_ = false;
  struct Replacement {
    std::set<std::uint32_t> old;
    std::optional<std::uint32_t> launching;
    std::function<void(ReplaceOutcome)> on_done;
  };
  std::optional<Replacement> replacement_;
  std::set<std::uint32_t> leaving_;  // draining; nobody is started in their place
  Timer ready_;
  std::uint32_t nonce_ = 0;
  Timer ping_;
};

}  // namespace rowhouse::supervisor
