#include "supervisor/peer_link.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/foreign_files.h"
#include "base/log.h"

namespace rowhouse::supervisor {
namespace {

// Room for the whole configuration of a large host told to a fresh gateway.
constexpr std::size_t kMaxWaiting = 400'000;
constexpr std::chrono::seconds kStuckAfter{10};

}  // namespace

PeerLink::PeerLink(uv_loop_t* loop, UniqueFd socket, proto::Peer peer, Events events)
    : socket_(std::move(socket)),
      peer_(peer),
      events_(std::move(events)),
      stuck_(loop, [this] { close("does not read its messages"); }),
      closing_(loop, [this] { events_.on_closed("cannot be written to"); }),
      poll_(loop, socket_.get(), [this](int ready) { on_ready(ready); }) {
  [[maybe_unused]] const Status nonblocking = set_nonblocking(socket_.get());
  poll_.watch(UV_READABLE);
}

PeerLink::~PeerLink() {
  poll_.stop();
  close_foreign_socket(std::move(socket_));
}

void PeerLink::send_bytes(ByteSpan bytes, std::span<const int> descriptors) {
  if (closed_ || ending_) return;
  if (waiting_.empty()) {
    const Status sent = send_message(socket_.get(), bytes, descriptors);
    if (sent.ok()) return;
    if (sent.error().code != ErrorCode::kWouldBlock) return;  // the peer has gone: EOF follows
  }
  if (!enqueue(bytes, descriptors).ok()) {
    // Told from the loop, never from inside a caller that is in the middle of something.
    closed_ = true;
    poll_.stop();
    closing_.start(std::chrono::milliseconds(0));
  }
}

Status PeerLink::enqueue(ByteSpan bytes, std::span<const int> descriptors) {
  if (waiting_.size() >= kMaxWaiting) return make_error(ErrorCode::kTooLarge, "control queue");
  Waiting entry{{bytes.begin(), bytes.end()}, {}};
  for (const int fd : descriptors) {
    entry.descriptors.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!entry.descriptors.back().valid()) return system_error("fcntl F_DUPFD_CLOEXEC");
  }
  if (waiting_.empty()) {
    stuck_.start(kStuckAfter);
    poll_.watch(UV_READABLE | UV_WRITABLE);
  }
  waiting_.push_back(std::move(entry));
  return {};
}

void PeerLink::on_ready(int events) {
  if ((events & UV_WRITABLE) != 0) flush();
  if ((events & UV_READABLE) == 0) return;
  // After an error libuv watches no more: what the peer said last is read to its end now.
  const bool ending = (events & UV_DISCONNECT) != 0;
  while (receive_one() && ending) {
  }
  if (ending) close("closed");
}

void PeerLink::flush() {
  while (!waiting_.empty()) {
    const Waiting& next = waiting_.front();
    std::vector<int> descriptors;
    for (const UniqueFd& fd : next.descriptors) descriptors.push_back(fd.get());
    const Status sent = send_message(socket_.get(), next.bytes, descriptors);
    if (!sent.ok() && sent.error().code == ErrorCode::kWouldBlock) return;
    waiting_.pop_front();
    stuck_.start(kStuckAfter);
  }
  stuck_.stop();
  poll_.watch(UV_READABLE);
  if (ending_) ::shutdown(socket_.get(), SHUT_WR);
}

void PeerLink::end() {
  ending_ = true;
  if (waiting_.empty()) ::shutdown(socket_.get(), SHUT_WR);
}

// True when a message was taken and the next may be asked for.
bool PeerLink::receive_one() {
  if (closed_) return false;
  // A steward has no answer of ours to repeat by: what it says is taken away when it has been dealt with.
  const bool peeked = peer_ == proto::Peer::kSteward;
  auto received = peeked ? proto::peek_control(socket_.get()) : proto::receive_control(socket_.get());
  if (!received.ok()) {
    if (received.error().code == ErrorCode::kWouldBlock) return false;
    close(received.error().code == ErrorCode::kClosed ? kClosed.data() : "sent a malformed message");
    return false;
  }
  if (!proto::is_permitted(peer_, phase_, received.value().type)) {
    log_error("message not permitted", {{"type", static_cast<int>(received.value().type)}});
    close("sent a message that it may not send");
    return false;
  }
  // A loader of manifests is the tenant's process; what it sends is closed here, some time.
  const auto& descriptors = received.value().descriptors;
  const bool watch = received.value().type == proto::MessageType::kManifestWatch;
  const auto is_expected = [watch](const UniqueFd& fd) {
    return watch ? is_inotify(fd.get()) : is_quick_to_close(fd.get());
  };
  if (peer_ == proto::Peer::kLoader && !std::all_of(descriptors.begin(), descriptors.end(), is_expected)) {
    close("sent a descriptor that does not belong there");
    return false;
  }
  events_.on_message(received.value());
  if (peeked) drop_message(socket_.get());
  return true;
}

void PeerLink::close(const char* reason) {
  if (closed_) return;
  closed_ = true;
  poll_.stop();
  stuck_.stop();
  const auto on_closed = events_.on_closed;
  on_closed(reason);
}

}  // namespace rowhouse::supervisor
