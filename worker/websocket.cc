#include "worker/websocket.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace rowhouse::worker {
namespace {

constexpr std::uint16_t kProtocolError = 1002;
constexpr std::uint16_t kNoStatus = 1005;
constexpr std::uint16_t kAbnormal = 1006;
constexpr std::size_t kMaxReasonBytes = 123;
constexpr std::string_view kCloseWithoutCode("\x88\x00", 2);
constexpr std::string_view kCloseProtocolError("\x88\x02\x03\xea");

// A code that may stand in a close frame (RFC 6455 7.4).
std::uint16_t sendable(std::uint16_t code) {
  const bool reserved = code < 1000 || code == 1004 || code == kNoStatus || code == kAbnormal || code == 1015;
  return reserved || code > 4999 ? std::uint16_t{1000} : code;
}

}  // namespace

// What wslay calls.
struct WebSocket::Hooks {
  static WebSocket& self(void* user) { return *static_cast<WebSocket*>(user); }

  static ssize_t receive(wslay_event_context_ptr context, std::uint8_t* room, std::size_t size, int /*flags*/,
                         void* user) {
    std::string_view& input = self(user).input_;
    if (input.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const std::size_t count = std::min(size, input.size());
    std::memcpy(room, input.data(), count);
    input.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }

  static ssize_t send(wslay_event_context_ptr /*context*/, const std::uint8_t* bytes, std::size_t size, int /*flags*/,
                      void* user) {
    self(user).output_.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<ssize_t>(size);
  }

  static void on_message(wslay_event_context_ptr /*context*/, const wslay_event_on_msg_recv_arg* message, void* user) {
    WebSocket& socket = self(user);
    const std::string_view bytes(reinterpret_cast<const char*>(message->msg), message->msg_length);
    switch (message->opcode) {
      case WSLAY_TEXT_FRAME:
        socket.keep(Kind::kText, bytes);
        break;
      case WSLAY_BINARY_FRAME:
        socket.keep(Kind::kBinary, bytes);
        break;
      case WSLAY_CONNECTION_CLOSE:
        if (bytes.size() > 2) socket.close_reason_ = bytes.substr(2);
        break;
      default:
        break;
    }
  }
};

WebSocket::WebSocket() {
  wslay_event_callbacks hooks{};
  hooks.recv_callback = Hooks::receive;
  hooks.send_callback = Hooks::send;
  hooks.on_msg_recv_callback = Hooks::on_message;
  if (wslay_event_context_server_init(&context_, &hooks, this) != 0) throw std::bad_alloc();
  wslay_event_config_set_max_recv_msg_length(context_, kMaxMessageBytes);
}

WebSocket::~WebSocket() {
  wslay_event_context_free(context_);
}

bool WebSocket::wants_input() const {
  return !is_input_over() && messages_.size() < kMaxMessagesWaiting && messages_bytes_ < kMaxMessagesWaitingBytes &&
         output_.size() < kMaxAnswersWaitingBytes;
}

void WebSocket::receive(std::string_view bytes) {
  input_ = bytes;
  const bool broken = wslay_event_recv(context_) != 0;
  input_ = {};
  collect_output();
  // What the head of a frame breaks is closed by wslay without a code; there is one for it (RFC 6455 7.4.1).
  if (broken && output_.ends_with(kCloseWithoutCode)) {
    output_.replace(output_.size() - kCloseWithoutCode.size(), std::string::npos, kCloseProtocolError);
  }
  failed_ = failed_ || broken;
}

void WebSocket::keep(Kind kind, std::string_view bytes) {
  messages_.push_back({kind, std::string(bytes)});
  messages_bytes_ += bytes.size();
}

std::optional<WebSocket::Message> WebSocket::next() {
  if (messages_.empty()) return std::nullopt;
  Message message = std::move(messages_.front());
  messages_.pop_front();
  messages_bytes_ -= message.bytes.size();
  return message;
}

void WebSocket::send(Kind kind, std::string_view bytes) {
  wslay_event_msg message{};
  message.opcode = kind == Kind::kText ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME;
  message.msg = reinterpret_cast<const std::uint8_t*>(bytes.data());
  message.msg_length = bytes.size();
  static_cast<void>(wslay_event_queue_msg(context_, &message));
  collect_output();
}

void WebSocket::ping() {
  wslay_event_msg message{};
  message.opcode = WSLAY_PING;
  static_cast<void>(wslay_event_queue_msg(context_, &message));
  collect_output();
}

void WebSocket::close(std::uint16_t code, std::string_view reason) {
  reason = reason.substr(0, kMaxReasonBytes);
  // Not cut in the middle of a character.
  while (!reason.empty() && reason.size() == kMaxReasonBytes && (reason.back() & 0x80) != 0) reason.remove_suffix(1);
  static_cast<void>(wslay_event_queue_close(
      context_, sendable(code), reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size()));
  collect_output();
}

void WebSocket::collect_output() {
  if (wslay_event_send(context_) != 0) failed_ = true;
}

std::string WebSocket::take_output() {
  std::string taken;
  taken.swap(output_);
  return taken;
}

bool WebSocket::is_input_over() const {
  return failed_ || wslay_event_get_read_enabled(context_) == 0;
}

bool WebSocket::is_close_sent() const {
  return wslay_event_get_close_sent(context_) != 0;
}

bool WebSocket::is_close_received() const {
  return wslay_event_get_close_received(context_) != 0;
}

std::uint16_t WebSocket::close_code() const {
  if (is_close_received()) {
    const std::uint16_t code = wslay_event_get_status_code_received(context_);
    return code == 0 ? kNoStatus : code;
  }
  if (is_close_sent()) {
    const std::uint16_t code = wslay_event_get_status_code_sent(context_);
    return code == 0 ? (failed_ ? kProtocolError : kAbnormal) : code;
  }
  return kAbnormal;
}

}  // namespace rowhouse::worker
