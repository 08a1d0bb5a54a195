// What is told of a request that was in a worker when that worker was lost, for the story of the worker's death.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace rowhouse::gateway {

enum class ClientPresence : std::uint8_t { kWaiting, kGone };

// The texts are borrowed.
struct RunningRequest {
  std::int64_t at_ms = 0;  // the head was complete
  Instant sent_at{};       // to the worker
  std::string_view method, path, host, id;
};

// The same for a stream that nobody listens to any more: its exchange may have begun another request.
struct GivenUpRequest {
  explicit GivenUpRequest(const RunningRequest& request)
      : at_ms(request.at_ms),
        sent_at(request.sent_at),
        method(request.method),
        path(request.path),
        host(request.host),
        id(request.id) {}
  [[nodiscard]] RunningRequest view() const { return {at_ms, sent_at, method, path, host, id}; }

  std::int64_t at_ms;
  Instant sent_at;
  std::string method, path, host, id;
};

}  // namespace rowhouse::gateway
