#include "gateway/client_socket.h"

#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "gateway/caps.h"

namespace rowhouse::gateway {

ClientSocket::ClientSocket(uv_loop_t* loop, UniqueFd socket, ClientSocketListener& listener)
    : listener_(listener),
      socket_(std::move(socket)),
      poll_(std::make_unique<Poll>(loop, socket_.get(), [this](int events) { on_ready(events); })) {
  apply();
}

void ClientSocket::on_ready(int events) {
  if ((events & UV_DISCONNECT) != 0) {
    on_error();
    return;
  }
  if ((events & UV_READABLE) != 0 && listener_.may_read()) listener_.on_readable();
  if (poll_ == nullptr || (events & UV_WRITABLE) == 0) return;
  events_ &= ~UV_WRITABLE;
  apply();
  listener_.on_writable();
}

// No event will come any more.  What was received before the error still counts.
void ClientSocket::on_error() {
  for (std::size_t i = 0; i < kReadsAfterError && is_open(); ++i) listener_.on_readable();
  broken_ = true;
  if (is_open()) listener_.on_readable();
}

ClientSocket::Received ClientSocket::read(std::span<std::uint8_t> room) {
  if (poll_ == nullptr || broken_) return {Flow::kBroken, 0};
  const ssize_t count = ::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (count >= 0) return {Flow::kDone, static_cast<std::size_t>(count)};
  return {errno == EAGAIN || errno == EINTR ? Flow::kBlocked : Flow::kBroken, 0};
}

void ClientSocket::set_reading(Reading reading) {
  const int wanted = reading == Reading::kWanted ? UV_READABLE : 0;
  if (poll_ == nullptr || (events_ & UV_READABLE) == wanted) return;
  events_ ^= UV_READABLE;
  apply();
}

ClientSocket::Flow ClientSocket::flush() {
  if (poll_ == nullptr || broken_) return Flow::kBroken;
  if ((events_ & UV_WRITABLE) != 0) return Flow::kBlocked;
  while (!output_.empty()) {
    const std::string_view bytes = output_.view().substr(0, allowance_);
    if (bytes.empty()) return Flow::kPaced;
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      output_.consume(static_cast<std::size_t>(count));
      allowance_ -= static_cast<std::uint64_t>(count);
    } else if (errno == EAGAIN) {
      wait_writable();
      return Flow::kBlocked;
    } else if (errno != EINTR) {
      return Flow::kBroken;
    }
  }
  return Flow::kDone;
}

ClientSocket::Flow ClientSocket::send_file(int file, std::uint64_t& offset, std::uint64_t& count) {
  std::uint64_t share = std::min({count, static_cast<std::uint64_t>(kFileSendBytes), allowance_});
  while (share > 0) {
    auto position = static_cast<off_t>(offset);
    const ssize_t sent = ::sendfile(socket_.get(), file, &position, static_cast<std::size_t>(share));
    if (sent > 0) {
      const auto bytes = static_cast<std::uint64_t>(sent);
      offset += bytes;
      count -= bytes;
      share -= bytes;
      allowance_ -= bytes;
    } else if (sent < 0 && errno == EAGAIN) {
      break;
    } else if (sent == 0 || errno != EINTR) {
      return Flow::kBroken;
    }
  }
  if (count == 0) return Flow::kDone;
  if (allowance_ == 0) return Flow::kPaced;
  // The rest waits for the socket, or for the next turn of the loop.
  wait_writable();
  return Flow::kBlocked;
}

void ClientSocket::shut_writing() {
  ::shutdown(socket_.get(), SHUT_WR);
}

void ClientSocket::close() {
  poll_.reset();
  socket_.reset();
}

void ClientSocket::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void ClientSocket::wait_writable() {
  events_ |= UV_WRITABLE;
  apply();
}

void ClientSocket::apply() {
  if (events_ == 0) {
    poll_->stop();
  } else {
    poll_->watch(events_);
  }
}

}  // namespace rowhouse::gateway
