// The WebSocket codec: the worked examples of RFC 6455 5.7, and what a client may not do.
#include <doctest/doctest.h>

#include "worker/websocket.h"

namespace rowhouse::worker::test {
namespace {

using Kind = WebSocket::Kind;

// A frame of a client, masked with the key of the RFC's examples.
std::string frame(unsigned first, std::string_view payload) {
  static constexpr unsigned char kKey[] = {0x37, 0xfa, 0x21, 0x3d};
  std::string out{static_cast<char>(first), static_cast<char>(0x80 | payload.size())};
  for (const unsigned char byte : kKey) out += static_cast<char>(byte);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(static_cast<unsigned char>(payload[i]) ^ kKey[i % 4]);
  }
  return out;
}

std::string text_of(WebSocket& socket) {
  const auto message = socket.next();
  REQUIRE(message.has_value());
  CHECK(message->kind == Kind::kText);
  return message->bytes;
}

TEST_CASE("the masked Hello of RFC 6455 5.7 is read, at every split") {
  const std::string bytes = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  CHECK(frame(0x81, "Hello") == bytes);
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    WebSocket socket;
    socket.receive(bytes.substr(0, split));
    socket.receive(bytes.substr(split));
    CHECK(text_of(socket) == "Hello");
    CHECK_FALSE(socket.next().has_value());
  }
}

TEST_CASE("what is sent has the bytes of RFC 6455 5.7, without a mask") {
  WebSocket socket;
  socket.send(Kind::kText, "Hello");
  CHECK(socket.take_output() == "\x81\x05Hello");
  CHECK(socket.output_bytes() == 0);
  socket.send(Kind::kBinary, std::string(256, 'x'));
  CHECK(socket.take_output() == std::string("\x82\x7e\x01\x00", 4) + std::string(256, 'x'));
}

TEST_CASE("fragments are one message, and a ping between them is answered") {
  WebSocket socket;
  socket.receive(frame(0x01, "Hel"));
  socket.receive(frame(0x89, "?"));
  CHECK(socket.take_output() == "\x8a\x01?");
  CHECK_FALSE(socket.next().has_value());
  socket.receive(frame(0x80, "lo"));
  CHECK(text_of(socket) == "Hello");
}

TEST_CASE("a close frame is answered, and tells code and reason") {
  WebSocket socket;
  socket.receive(frame(0x88, "\x0f\xa1" "bye"));
  CHECK(socket.is_input_over());
  CHECK(socket.is_close_received());
  CHECK(socket.is_close_sent());
  CHECK(socket.close_code() == 4001);
  CHECK(socket.close_reason() == "bye");
  CHECK(socket.take_output().substr(0, 4) == "\x88\x05\x0f\xa1");
  socket.send(Kind::kText, "too late");
  CHECK(socket.take_output().empty());
  WebSocket silent;
  silent.receive(frame(0x88, ""));
  CHECK(silent.close_code() == 1005);
}

TEST_CASE("a code that may not be sent becomes 1000, and a long reason is cut") {
  WebSocket socket;
  socket.close(1005, std::string(200, 'r'));
  const std::string out = socket.take_output();
  CHECK(out.size() == 2 + 125);
  CHECK(out.substr(2, 2) == "\x03\xe8");
}

TEST_CASE("what breaks a rule ends the input and is answered with its code") {
  const std::pair<std::string, std::string> bad[] = {
      {frame(0x81, "\xff"), "\x03\xef"},                          // 1007: not UTF-8
      {frame(0xc1, "x"), "\x03\xea"},                             // 1002: a reserved bit
      {frame(0x83, "x"), "\x03\xea"},                             // a reserved opcode
      {frame(0x80, "x"), "\x03\xea"},                             // a continuation of nothing
      {std::string("\x81\x01x"), "\x03\xea"},                     // no mask
      {std::string("\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0x", 15), "\x03\xf1"},  // 1009: a long message
  };
  for (const auto& [bytes, code] : bad) {
    CAPTURE(code);
    WebSocket socket;
    socket.receive(bytes);
    CHECK(socket.is_input_over());
    CHECK_FALSE(socket.next().has_value());
    CHECK(socket.take_output().substr(2, 2) == code);
  }
}

TEST_CASE("nothing more is read while much waits for the app") {
  WebSocket socket;
  for (std::size_t i = 0; i < kMaxMessagesWaiting; ++i) {
    CHECK(socket.wants_input());
    socket.receive(frame(0x81, "x"));
  }
  CHECK_FALSE(socket.wants_input());
  CHECK(text_of(socket) == "x");
  CHECK(socket.wants_input());
}

TEST_CASE("what waits for the app is counted in bytes too") {
  const std::string hundred(100, 'x');
  WebSocket socket;
  std::size_t bytes = 0;
  socket.receive(frame(0x02, hundred));  // one message in many fragments
  for (bytes = hundred.size(); bytes < kMaxMessagesWaitingBytes; bytes += hundred.size()) {
    REQUIRE(socket.wants_input());
    socket.receive(frame(0x00, hundred));
  }
  CHECK(socket.wants_input());
  socket.receive(frame(0x80, ""));
  CHECK_FALSE(socket.wants_input());
  const auto message = socket.next();
  REQUIRE(message.has_value());
  CHECK(message->bytes.size() == bytes);
  CHECK(socket.wants_input());
}

}  // namespace
}  // namespace rowhouse::worker::test
