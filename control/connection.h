// One client of the API.
//
//   reading --request--> waiting --answer--> writing --written--> reading (keep-alive) or closed
//                           \--begin_stream--> streaming --client gone--> closed
//
// Each state has one deadline: reading has 30 s from its begin for the whole request, writing and streaming
// 30 s for each step forward of the client.  Waiting ends by the answer, which always comes.
//
// SECURITY: who the client is was read from SO_PEERCRED when it was accepted, and from nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "control/answer.h"
#include "control/request_parser.h"

namespace rowhouse::control {

using ConnectionId = std::uint64_t;  // never used twice

class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  virtual void on_request(ConnectionId id, uid_t uid, const HttpRequest& request) = 0;
  // The connection must be destroyed later, not during this call.
  virtual void on_connection_closed(ConnectionId id) = 0;
};

class Connection {
 public:
  static constexpr std::chrono::milliseconds kDeadline{30'000};
  static constexpr std::size_t kMaxStreamBytes = 256 * 1024;  // unsent bytes of a stream

  // `socket` must not block.  `listener` must outlive this object.
  Connection(uv_loop_t* loop, UniqueFd socket, uid_t uid, ConnectionId id, ConnectionListener& listener);
  ~Connection();

  // Answers the request that is waiting.
  void send(const Answer& answer);
  // Answers it with a stream that ends when the client goes.
  void begin_stream(std::string_view content_type, std::string_view first_bytes);
  // Ends the connection at once.
  void close();
  // True when it was taken; false when the client reads too slowly, and then nothing of it is sent.
  [[nodiscard]] bool try_stream(std::string_view bytes);

  [[nodiscard]] uid_t uid() const { return uid_; }
  [[nodiscard]] std::size_t unsent_bytes() const { return output_.size() - sent_; }
  [[nodiscard]] bool is_closed() const { return state_ == State::kClosed; }

 private:
  enum class State { kReading, kWaiting, kWriting, kStreaming, kClosed };
  void on_ready(int events);
  void on_readable();
  void parse_input();
  void on_parsed(RequestParser::Outcome outcome);
  void refuse(const ErrorText& error);
  void on_deadline();
  void flush();
  void on_written();
  void watch();

  UniqueFd socket_;
  uid_t uid_;
  ConnectionId id_;
  ConnectionListener& listener_;
  State state_ = State::kReading;
  RequestParser parser_;
  std::string input_;
  std::string output_;
  std::size_t sent_ = 0;
  ConnectionUse after_answer_ = ConnectionUse::kKeepAlive;
  BodyUse body_use_ = BodyUse::kSend;
  Timer deadline_;
  Poll poll_;
};

}  // namespace rowhouse::control
