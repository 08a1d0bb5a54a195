// The worker's end of a channel, played by a test.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "http_client.h"
#include "proto/frames.h"
#include "proto/heads.h"

namespace rowhouse::test {

struct OwnedFrame {
  proto::FrameType type{};
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
  [[nodiscard]] bool last() const { return (flags & proto::kFlagLast) != 0; }
};

struct SeenRequest {
  std::uint32_t stream = 0;
  bool has_body = false;
  std::string payload;  // what `head` borrows from
  proto::FieldRoom room;
  proto::RequestHead head;
  [[nodiscard]] std::string field(std::string_view name) const;  // the first one, or "-"
};

class FakeWorker {
 public:
  enum class Greeting : std::uint8_t { kHello, kNone };
  explicit FakeWorker(UniqueFd channel, Greeting greeting = Greeting::kHello,
                      std::uint32_t window = proto::kStreamWindowBytes);

  void send(std::string_view frames);
  // The next frame; type 0 when the channel ends or nothing comes.
  OwnedFrame next(int timeout_ms = kPatienceMs);
  // The next frame, which must be a REQUEST; CREDIT frames before it are passed over.
  std::unique_ptr<SeenRequest> next_request(int timeout_ms = kPatienceMs);
  // The body of a stream up to its LAST frame, with credit given as it comes.
  std::string read_body(std::uint32_t stream);
  // START for unsafe methods is the caller's business.
  void respond(std::uint32_t stream, std::uint16_t status, std::string_view body,
               std::vector<std::pair<std::string, std::string>> fields = {}, std::uint64_t service_us = 50);
  void respond_head(std::uint32_t stream, std::uint16_t status,
                    std::vector<std::pair<std::string, std::string>> fields = {});
  void start(std::uint32_t stream);
  void data(std::uint32_t stream, std::string_view bytes);
  void end(std::uint32_t stream, std::uint64_t service_us = 50);
  // True when the gateway closes the channel in time.
  bool is_closed_by_gateway();
  // True when a frame other than HELLO has arrived.
  [[nodiscard]] bool has_frame();
  void close() { channel_.reset(); }
  [[nodiscard]] int fd() const { return channel_.get(); }

 private:
  std::optional<OwnedFrame> take_frame();
  bool fill(int timeout_ms);
  UniqueFd channel_;
  std::string input_;
};

}  // namespace rowhouse::test
