// One run of rowhouse-loader: a short-lived process that has become an unprivileged user (nobody for host and
// tenant files, the tenant for its manifest) and answers Load... messages with records.  Its answer has a deadline
// and a cap; whatever goes wrong is one outcome of that file and of nothing else.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/loop.h"
#include "proto/live_messages.h"
#include "supervisor/graveyard.h"
#include "supervisor/launcher.h"
#include "supervisor/peer_link.h"

namespace rowhouse::supervisor {

struct LoadOutcome {
  bool loaded = false;
  bool unchanged = false;  // then not loaded: the file is the known one
  std::vector<proto::IncomingMessage> records;  // when loaded
  UniqueFd problem;  // else: sealed memory with the sentences; invalid when the loader itself failed
  const char* failure = "";  // why there is no problem text: a literal
  proto::FileIdentity identity;  // of the file that was looked at; all 0: not said
  UniqueFd watch;                // inotify descriptor of the tenant's making, or invalid
  UniqueFd text;                 // what was parsed, as its loader says; invalid: not said
};

class LoaderSession final : public Mortal {
 public:
  using Callback = std::function<void(LoadOutcome)>;

  // Starts the loader as `user` in the group `cgroup`.
  static Result<std::unique_ptr<LoaderSession>> start(uv_loop_t* loop, Launcher& launcher, int program,
                                                      LaunchUser user, const class Cgroup& cgroup);
  ~LoaderSession() override;

  // False once the process failed to answer: start another one.
  [[nodiscard]] bool alive() const { return alive_; }

  // One file at a time; `on_outcome` is called from the loop.
  template <proto::ControlMessage M>
  void load(const M& request, std::initializer_list<int> descriptors, Callback on_outcome) {
    begin(std::move(on_outcome));
    link_.send(request, descriptors);
  }

 private:
  LoaderSession(uv_loop_t* loop, UniqueFd socket, LaunchedProcess process);
  void begin(Callback on_outcome);
  [[nodiscard]] bool take_extra(proto::IncomingMessage& message);
  void on_message(proto::IncomingMessage& message);
  void finish(LoadOutcome outcome);
  void fail(const char* reason);

  LaunchedProcess process_;
  bool alive_ = true;
  Callback on_outcome_;
  std::vector<proto::IncomingMessage> records_;
  proto::FileIdentity identity_;
  UniqueFd watch_;
  UniqueFd text_;
  Timer deadline_;
  PeerLink link_;
};

}  // namespace rowhouse::supervisor
