// One WebSocket connection, server's side, as bytes in and bytes out (RFC 6455).  wslay reads and writes the frames:
// masks, fragments, control frames, UTF-8, close codes.  Knows no Python and no socket.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct wslay_event_context;

namespace rowhouse::worker {

// A message longer than this ends the connection with 1009.
inline constexpr std::size_t kMaxMessageBytes = 16 * 1024 * 1024;
// With so much waiting for the app, or answers waiting for the client, nothing more is read.
inline constexpr std::size_t kMaxMessagesWaiting = 32;
inline constexpr std::size_t kMaxMessagesWaitingBytes = 1024 * 1024;
inline constexpr std::size_t kMaxAnswersWaitingBytes = 64 * 1024;

class WebSocket {
 public:
  enum class Kind : std::uint8_t { kText, kBinary };
  struct Message {
    Kind kind{};
    std::string bytes;  // text is UTF-8
  };

  WebSocket();
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // Whether more bytes may be given.
  [[nodiscard]] bool wants_input() const;
  // Bytes of the client, cut anywhere.  What they break is answered with a close frame by itself, pings with pongs.
  void receive(std::string_view bytes);
  // The next whole message.
  [[nodiscard]] std::optional<Message> next();

  // Do nothing after a close frame was sent.
  void send(Kind kind, std::string_view bytes);
  void ping();
  void close(std::uint16_t code, std::string_view reason);

  // Frames to be sent to the client, taken away.
  [[nodiscard]] std::string take_output();
  [[nodiscard]] std::size_t output_bytes() const { return output_.size(); }

  // The client has closed, or broke a rule; messages that came before may still be there.
  [[nodiscard]] bool is_input_over() const;
  [[nodiscard]] bool is_close_sent() const;
  [[nodiscard]] bool is_close_received() const;
  // 1005 when the client gave none, 1006 when it sent no close frame; else what it sent, or what it made us send.
  [[nodiscard]] std::uint16_t close_code() const;
  [[nodiscard]] const std::string& close_reason() const { return close_reason_; }

 private:
  struct Hooks;
  void collect_output();
  void keep(Kind kind, std::string_view bytes);

  wslay_event_context* context_ = nullptr;
  std::string_view input_;
  std::string output_;
  std::deque<Message> messages_;
  std::string close_reason_;
  std::size_t messages_bytes_ = 0;
  bool failed_ = false;
};

}  // namespace rowhouse::worker
