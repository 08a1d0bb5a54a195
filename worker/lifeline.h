// The worker's end of the lifeline.  Page: proto/lifeline.h.  BORN and GO happened before the worker was
// exec-ed, or are birth.h's.
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
};

}  // namespace rowhouse::worker
