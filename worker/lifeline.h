// The worker's end of the lifeline.  Page: proto/lifeline.h.  BORN and GO happened before the worker was
// exec-ed, or are birth.h's.  Of several apps in one process each has a lifeline of its own to the main thread, which
// relays (share_relay.h): to the app it is the same.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/causes.h"
#include "proto/lifeline.h"

namespace rowhouse::worker {

class Lifeline {
 public:
  // Whose end means what: that of the process, or that of one app among several.
  enum class Scope : std::uint8_t { kProcess, kOneOfShare };
  // Takes the descriptor, makes it close-on-exec and non-blocking.
  explicit Lifeline(UniqueFd socket, Scope scope = Scope::kProcess);
  [[nodiscard]] bool is_shared() const { return scope_ == Scope::kOneOfShare; }

  [[nodiscard]] int descriptor() const { return socket_.get(); }

  // Each is sent at most once in a worker's life; a supervisor that is away is no error of the worker's.
  enum class Serving : std::uint8_t { kThreads, kEventLoop };
  void send_ready(unsigned major, unsigned minor, Serving serving);
  // Of a share: a bit for each app that has an event loop, the first app's lowest.
  void send_ready_of_share(unsigned major, unsigned minor, std::uint32_t event_loops);
  void send_failed(proto::StartStep step);
  void send_drained();
  // FAILED, and the end of the process.  Of one of a share the main thread ends it, and this thread waits for that.
  [[noreturn]] void fail(proto::StartStep step);
  // DRAINED, and the end of the process, now.  One of a share only says so, and its thread stays where it is.
  void leave_behind();

  struct Order {
    proto::LifelineType type{};  // kChannel or kDrain
    std::uint32_t app = 0;       // of kChannel, in a share
    UniqueFd channel;
  };
  // The next order; nothing when the record is none that a worker takes.  kWouldBlock when there is none,
  // kClosed when the supervisor and the keeper have gone.
  Result<std::optional<Order>> receive();

  // Of a share, before anything else comes: the next LOG.
  struct Log {
    std::uint32_t app = 0;
    UniqueFd log;
  };
  Result<std::optional<Log>> receive_log();

  // Of a template.
  struct TemplateOrder {
    proto::LifelineType type{};  // kFork or kDrain
    UniqueFd lifeline, log;      // of the worker that is to be forked
  };
  // As receive(), for a template.
  Result<std::optional<TemplateOrder>> receive_template_order();
  // Another socket has taken the place of this one, under the same number.
  void renew();

 private:
  void send(proto::LifelineType type, std::uint32_t number);
  UniqueFd socket_;
  const Scope scope_;
};

}  // namespace rowhouse::worker
