#include "control/connection.h"

#include <sys/socket.h>

#include <array>
#include <utility>

#include "base/foreign_files.h"

namespace rowhouse::control {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;

ErrorText error_of(RequestParser::Outcome outcome) {
  using enum RequestParser::Outcome;
  if (outcome == kHeadTooLarge)
    return {431, "too_large", "The head of the request is larger than 16 KiB.", "", ""};
  if (outcome == kBodyTooLarge)
    return {413, "too_large", "The body of the request is larger than 64 KiB.", "", ""};
  if (outcome == kExpectation) return {417, "bad_request", "Expect is not supported.", "", ""};
  return {400, "bad_request", "The request is not valid HTTP.", "", ""};
}

}  // namespace

Connection::Connection(uv_loop_t* loop, UniqueFd socket, uid_t uid, ConnectionId id,
                       ConnectionListener& listener)
    : socket_(std::move(socket)),
      uid_(uid),
      id_(id),
      listener_(listener),
      deadline_(loop, [this] { on_deadline(); }),
      poll_(loop, socket_.get(), [this](int events) { on_ready(events); }) {
  refuse_descriptors(socket_.get());
  deadline_.start(kDeadline);
  watch();
}

Connection::~Connection() {
  poll_.stop();
  close_foreign_socket(std::move(socket_));
}

void Connection::on_ready(int events) {
  if ((events & UV_WRITABLE) != 0) flush();
  if (state_ == State::kReading && (events & (UV_READABLE | UV_DISCONNECT)) != 0) {
    on_readable();
  } else if ((events & (UV_DISCONNECT | UV_READABLE)) != 0) {
    // Waiting, writing or streaming: the client has gone.
    close();
  }
}

void Connection::on_readable() {
  std::array<std::uint8_t, kReadBytes> room;
  const Result<std::size_t> got = receive_bytes(socket_.get(), room);
  if (!got.ok() && got.error().code == ErrorCode::kWouldBlock) return;
  if (!got.ok() || got.value() == 0) {
    close();
    return;
  }
  input_.append(reinterpret_cast<const char*>(room.data()), got.value());
  parse_input();
}

void Connection::parse_input() {
  while (state_ == State::kReading && !input_.empty()) {
    const RequestParser::Fed fed = parser_.feed(input_);
    input_.erase(0, fed.consumed);
    if (fed.outcome == RequestParser::Outcome::kMore) return;
    on_parsed(fed.outcome);
  }
}

void Connection::on_parsed(RequestParser::Outcome outcome) {
  if (outcome != RequestParser::Outcome::kComplete) {
    refuse(error_of(outcome));
    return;
  }
  const HttpRequest request = parser_.request();
  parser_.reset();
  deadline_.stop();
  state_ = State::kWaiting;
  after_answer_ = request.keep_alive ? ConnectionUse::kKeepAlive : ConnectionUse::kClose;
  body_use_ = request.method == "HEAD" ? BodyUse::kHeadOnly : BodyUse::kSend;
  watch();
  listener_.on_request(id_, uid_, request);
}

void Connection::refuse(const ErrorText& error) {
  state_ = State::kWaiting;
  input_.clear();
  after_answer_ = ConnectionUse::kClose;
  body_use_ = BodyUse::kSend;
  send(error_answer(error));
}

void Connection::send(const Answer& answer) {
  if (state_ != State::kWaiting) return;
  state_ = State::kWriting;
  if (answer.connection == ConnectionUse::kClose) after_answer_ = ConnectionUse::kClose;
  output_ = format_answer(answer, after_answer_, body_use_);
  sent_ = 0;
  deadline_.start(kDeadline);
  flush();
}

void Connection::begin_stream(std::string_view content_type, std::string_view first_bytes) {
  if (state_ != State::kWaiting) return;
  state_ = State::kStreaming;
  output_ = format_stream_head(content_type);
  if (!first_bytes.empty()) output_ += format_chunk(first_bytes);
  sent_ = 0;
  deadline_.start(kDeadline);
  flush();
}

bool Connection::try_stream(std::string_view bytes) {
  if (state_ != State::kStreaming || unsent_bytes() + bytes.size() > kMaxStreamBytes) return false;
  if (output_.empty()) deadline_.start(kDeadline);
  output_ += format_chunk(bytes);
  // Sent in the next turn, together with the other lines of this one.
  watch();
  return true;
}

void Connection::on_deadline() {
  if (state_ == State::kReading && !parser_.is_fresh()) {
    refuse({408, "timeout", "The request did not arrive within 30 seconds.", "", ""});
  } else {
    close();
  }
}

void Connection::flush() {
  while (sent_ < output_.size()) {
    const ssize_t sent =
        ::send(socket_.get(), output_.data() + sent_, output_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) {
      close();
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
    deadline_.start(kDeadline);
  }
  if (sent_ == output_.size()) {
    on_written();
  } else {
    // Moving the rest forward is worth it only now and then.
    if (sent_ > output_.size() / 2) output_.erase(0, std::exchange(sent_, 0));
    watch();
  }
}

void Connection::on_written() {
  output_.clear();
  output_.shrink_to_fit();
  sent_ = 0;
  if (state_ == State::kStreaming) {
    deadline_.stop();
    watch();
    return;
  }
  if (state_ != State::kWriting) return;
  if (after_answer_ == ConnectionUse::kClose) {
    close();
    return;
  }
  state_ = State::kReading;
  deadline_.start(kDeadline);
  watch();
  parse_input();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  deadline_.stop();
  poll_.stop();
  ::shutdown(socket_.get(), SHUT_RDWR);
  listener_.on_connection_closed(id_);
}

void Connection::watch() {
  if (state_ == State::kClosed) return;
  int events = state_ == State::kReading ? UV_READABLE | UV_DISCONNECT : UV_DISCONNECT;
  if (!output_.empty()) events |= UV_WRITABLE;
  poll_.watch(events);
}

}  // namespace rowhouse::control
