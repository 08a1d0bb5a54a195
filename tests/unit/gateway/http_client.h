// Raw HTTP over one connection, for tests.  Everything waits with a deadline, nothing sleeps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace rowhouse::test {

inline constexpr int kPatienceMs = 10'000;

// True when `fd` becomes readable (or ends) in time.
bool wait_readable(int fd, int timeout_ms = kPatienceMs);

struct HttpAnswer {
  int status = 0;
  std::string head;  // with the empty line
  std::string body;  // decoded
  bool complete = false;
  // The value of a field, or "" ; `name` in the letter case of the answer.
  [[nodiscard]] std::string field(std::string_view name) const;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  void send(std::string_view bytes);
  // Sends what fits without waiting; how much that was.
  std::size_t try_send(std::string_view bytes);
  void end_sending();
  void reset();
  // The next answer; incomplete when the connection ends before it does.
  HttpAnswer read_answer(std::string_view method = "GET");
  // At least `count` bytes as they come, fewer when the connection ends.
  std::string read_some(std::size_t count, int timeout_ms = kPatienceMs);
  // Everything until the connection ends.
  std::string read_to_end();
  // True when the connection ends in time, with nothing more to read.
  bool is_closed_by_gateway();
  [[nodiscard]] bool was_reset() const { return reset_; }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  bool fill(int timeout_ms);
  UniqueFd socket_;
  std::string input_;
  bool ended_ = false;
  bool reset_ = false;
};

}  // namespace rowhouse::test
