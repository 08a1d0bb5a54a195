// The keeper: the small first process.  It is the parent of every other process (they are cloned with
// CLONE_PARENT), reaps them by pidfd and tells the supervisor how they ended; it stores the descriptors that
// must survive the supervisor, starts it, watches it and starts it again when it dies.  It parses nothing but
// the supervisor's fixed messages, and never leaves its loop for anything that another process does.
//
//   supervisor     what the keeper does about its death
//   starting       kills the children, empties the store, starts it from nothing
//   serving        starts it again at once: it takes over the children and the store (Fetch ... Adopted)
//   taking over    starts it again; after kMaxFailedAdoptions in a row everything starts from nothing
//   replaced       (Upgrade) starts the program on disk; when that does not take over in time, the former one
//   stopping       kills the children and ends
//
// SECURITY: tests/system/test_adoption.py, test_upgrade.py.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/keeper_messages.h"
#include "supervisor/service_manager.h"
#include "supervisor/supervisor_program.h"

namespace rowhouse::supervisor {

class Keeper {
 public:
  // `arguments` are given to the supervisor after its own marker (--supervisor).
  explicit Keeper(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  // Runs until the supervisor ends in order or a signal asks for the end.  The exit status of the program:
  // the supervisor's own when it ended in order (0 good, 1 configuration refused), 1 otherwise.
  int run();

 private:
  enum class Stage : std::uint8_t { kStarting, kServing, kTakingOver, kReplaced, kStopping };

  struct Process {
    std::uint64_t child = 0;
    pid_t pid = 0;
    UniqueFd pidfd;
    proto::KeptRecord record;
    std::optional<proto::ChildExited> exited;  // until the supervisor has dealt with it
  };
  // Tags in epoll's data; children are numbered above them by the supervisor.
  static constexpr std::uint64_t kSignalTag = 1, kSocketTag = 2, kSupervisorTag = 3;
  // A supervisor that has served for so long dies of something new.
  static constexpr std::chrono::seconds kHealthyAfter{5};

  struct Outgoing {
    std::vector<std::uint8_t> bytes;
    int descriptor = -1;  // of kept_ or children_
  };

  Status open();
  Status open_signals();
  Status start_supervisor();
  void on_signal();
  void pass_reload();
  void on_supervisor_ready();
  bool receive_one();
  void on_message(proto::IncomingMessage& message);
  void on_child(proto::IncomingMessage& message);
  void on_keep(proto::IncomingMessage& message);
  void on_fetch();
  void on_ready();
  void on_adopted();
  void on_upgrade();
  void on_child_exit(std::uint64_t child);
  void on_supervisor_exit();
  void on_death(int code, int status);
  void start_from_nothing();
  void fall_back(proto::UpgradeOutcome outcome, std::int32_t argument);
  template <proto::ControlMessage M>
  void send(const M& message, int descriptor = -1) {
    if (!socket_.valid()) return;
    std::array<std::uint8_t, proto::wire_size<M>()> room;
    const ByteSpan bytes = proto::encode_message(message, room);
    outbox_.push_back({{bytes.begin(), bytes.end()}, descriptor});
  }
  void flush();
  Status watch(int fd, std::uint64_t tag);
  void unwatch(int fd);
  void begin_stopping(Instant deadline);
  void kill_children();
  void reap_strangers();
  void watch_supervisor(Instant now);
  [[nodiscard]] int wait_ms() const;
  void on_time();
  [[nodiscard]] bool supervised() const { return supervisor_.pidfd.valid(); }

  std::vector<std::string> arguments_;
  SystemClock clock_;
  ServiceManager manager_;
  SupervisorProgram program_;
  Stage stage_ = Stage::kStarting;
  UniqueFd epoll_;
  UniqueFd signals_;
  UniqueFd socket_;  // to the supervisor
  Process supervisor_;
  std::map<std::uint64_t, Process> children_;
  std::map<proto::KeptRecord, UniqueFd> kept_;
  std::deque<Outgoing> outbox_;
  bool fetched_ = false;  // the supervisor knows what there was before it
  bool finished_ = false;
  int exit_status_ = 1;
  Instant stop_deadline_{};
  Instant restart_at_{};  // when a dead supervisor is started again; zero: not waiting
  Instant healthy_at_{};  // from then on a death is not a quick one
  int quick_deaths_ = 0;
  int failed_adoptions_ = 0;
  // --- pings
  Instant ping_at_{};
  std::uint32_t unanswered_pings_ = 0;
  // --- the upgrade that is under way, or whose outcome nobody has been told yet
  std::optional<Instant> adoption_deadline_;
  std::optional<proto::Upgraded> outcome_;
};

}  // namespace rowhouse::supervisor
