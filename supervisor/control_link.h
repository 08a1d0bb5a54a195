// The control process: started, replaced when it dies or hangs, told what happens, its questions passed to one
// listener.  Everything that a fresh control process must know is told again by the listener.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/loop.h"
#include "proto/live_messages.h"
#include "proto/reload_messages.h"
#include "proto/upgrade_messages.h"
#include "proto/usage_messages.h"
#include "supervisor/backoff.h"
#include "supervisor/cgroups.h"
#include "supervisor/death_ledger.h"
#include "supervisor/graveyard.h"
#include "supervisor/launcher.h"
#include "supervisor/peer_link.h"
#include "supervisor/tenant_draft.h"

namespace rowhouse::supervisor {

class ControlListener {
 public:
  virtual ~ControlListener() = default;
  // A fresh control process: tell it the admins, tenants, problems, log pipes and access sockets.
  virtual void on_control_started() = 0;
  virtual void on_query(const proto::Query& query) = 0;
  virtual void on_command(const proto::Command& command) = 0;
  virtual void on_reload_order(const proto::ReloadOrder& order) = 0;
  virtual void on_reload_tenant_order(const proto::ReloadTenantOrder& order) = 0;
  virtual void on_upgrade_order(const proto::UpgradeOrder& order) = 0;
  virtual void on_tenant_order(TenantOrder order) = 0;
  virtual void on_tenant_removal(const proto::TenantRemoval& removal) = 0;
  virtual void on_tenant_query(const proto::TenantQuery& query) = 0;
  // The text is unread and may be anything that is quick to close.
  virtual void on_manifest_order(const proto::ManifestOrder& order, UniqueFd text) = 0;
};

class ControlLink {
 public:
  struct Order {
    uv_loop_t* loop = nullptr;
    const Clock* clock = nullptr;
    Launcher* launcher = nullptr;
    Graveyard* graveyard = nullptr;
    int program = -1;
    LaunchUser user;
    Cgroup cgroup;
    UniqueFd listener;  // the API socket
    UniqueFd logs;      // the log directory
    UniqueFd usage;     // the directory of the usage database
  };
  ControlLink(Order order, ControlListener& listener);

  void start();
  // Takes over the one of an earlier supervisor, or starts one.
  void adopt(Estate& estate);
  // Which start of a control process this is: its requests are numbered anew.
  [[nodiscard]] std::uint32_t start_number() const { return process_ == nullptr ? 0 : process_->kept.record().generation; }
  // Puts a new process in its place: this one finishes the answers that are under way first, or is ended.
  void replace();
  // Sends it home: it reads what is left in its pipes and exits at end of file.
  void close();
  [[nodiscard]] bool running() const { return process_ != nullptr; }
  bool on_child_exit(std::uint64_t child, int code, int status);
  void kill();
  // Sent until control says that it is stored.
  void record(const DeathLedger::Entry& death) { deaths_.add(death); }

  // Nothing when there is no control process just now.
  template <proto::ControlMessage M>
  void send(const M& message, std::initializer_list<int> descriptors = {}) {
    if (process_ != nullptr && process_->link != nullptr) process_->link->send(message, descriptors);
  }

 private:
  struct Process final : Mortal {
    LaunchedProcess launched;
    Kept kept;
    std::unique_ptr<PeerLink> link;
  };

  Status launch();
  void install(LaunchedProcess launched, Kept kept, UniqueFd control);
  void on_message(proto::IncomingMessage& message);
  // What the API writes and asks of tenants; true when the message was one of these.
  bool take_tenant_message(proto::IncomingMessage& message);
  void on_closed(const char* reason);
  void ping();
  // Owes an answer, or its being ready, for too long.
  [[nodiscard]] bool is_stuck() const;

  Order order_;
  ControlListener& listener_;
  std::unique_ptr<Process> process_;
  Backoff backoff_;
  DeathLedger deaths_;
  TenantDrafts drafts_;
  std::uint64_t oom_kills_ = 0;  // of its cgroup, at the last death
  bool closing_ = false;
  bool replacing_ = false;
  int unanswered_ = 0;  // pings without an answer, or of one that is not ready as many periods
  std::uint32_t nonce_ = 0;
  Timer restart_;
  Timer ping_;
  Timer retired_;  // it should have gone
};

}  // namespace rowhouse::supervisor
