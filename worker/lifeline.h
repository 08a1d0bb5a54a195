// The worker's end of the lifeline.  Page: proto/lifeline.h.  BORN and GO happened before the worker was
// exec-ed.
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
  // Takes the descriptor, makes it close-on-exec and non-blocking.
  explicit Lifeline(UniqueFd socket);

  [[nodiscard]] int descriptor() const { return socket_.get(); }

  // Each is sent at most once in a worker's life; a supervisor that is away is no error of the worker's.
  enum class Serving : std::uint8_t { kThreads, kEventLoop };
  void send_ready(unsigned major, unsigned minor, Serving serving);
  void send_failed(proto::StartStep step);
  void send_drained();

  struct Order {
    proto::LifelineType type{};  // kChannel or kDrain
    UniqueFd channel;
  };
  // The next order; nothing when the record is none that a worker takes.  kWouldBlock when there is none,
  // kClosed when the supervisor and the keeper have gone.
  Result<std::optional<Order>> receive();

 private:
  void send(proto::LifelineType type, std::uint32_t number);
  UniqueFd socket_;
};

}  // namespace rowhouse::worker
