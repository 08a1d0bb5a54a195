// The plain transport of one client: reading, writing with a buffer, and the ways to end.  It knows nothing
// of HTTP.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "gateway/byte_queue.h"

namespace rowhouse::gateway {

class ClientSocketListener {
 public:
  virtual ~ClientSocketListener() = default;
  // False: there is something to read, but not in this turn; the event comes again.
  [[nodiscard]] virtual bool may_read() = 0;
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;
};

class ClientSocket {
 public:
  // kPaced: the allowance is used up.
  enum class Flow : std::uint8_t { kDone, kBlocked, kBroken, kPaced };
  struct Received {
    Flow flow = Flow::kDone;  // kBlocked: nothing there; kBroken: the connection is dead
    std::size_t bytes = 0;    // 0 with kDone: the client sends no more
  };

  // Starts reading.
  ClientSocket(uv_loop_t* loop, UniqueFd socket, ClientSocketListener& listener);

  [[nodiscard]] Received read(std::span<std::uint8_t> room);
  enum class Reading : std::uint8_t { kStopped, kWanted };
  void set_reading(Reading reading);
  [[nodiscard]] bool is_open() const { return poll_ != nullptr; }

  // How much may be written until this is said again; no limit where it never is.
  void set_allowance(std::uint64_t bytes) { allowance_ = bytes; }
  [[nodiscard]] std::uint64_t allowance() const { return allowance_; }
  // Bytes to write: appended here, written by flush().
  [[nodiscard]] ByteQueue& output() { return output_; }
  // Writes the output, then up to `count` bytes of `file` from `offset`, which moves on.  kBlocked:
  // on_writable will come.  kBroken: the client has gone, or the file is shorter than that.
  [[nodiscard]] Flow flush();
  [[nodiscard]] Flow send_file(int file, std::uint64_t& offset, std::uint64_t& count);

  // Sends the end of the stream; the client may still send.
  void shut_writing();
  void close();
  // Like close(), but the client sees a broken connection, never a clean end.
  void reset();

 private:
  void on_ready(int events);
  void on_error();
  void wait_writable();
  void apply();

  ClientSocketListener& listener_;
  UniqueFd socket_;
  ByteQueue output_;
  std::uint64_t allowance_ = ~std::uint64_t{0};
  int events_ = UV_READABLE;
  bool broken_ = false;
  std::unique_ptr<Poll> poll_;
};

}  // namespace rowhouse::gateway
