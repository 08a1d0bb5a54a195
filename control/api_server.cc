#include "control/api_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/message_socket.h"

namespace rowhouse::control {
namespace {

UniqueFd open_spare() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// Tells a client that there is no room, without waiting for it.
void send_refusal(int socket) {
  const Answer answer = error_answer({503, "too_many_connections", "Too many connections are open.", "", ""});
  const std::string text = format_answer(answer, ConnectionUse::kClose, BodyUse::kSend);
  [[maybe_unused]] const ssize_t ignored =
      ::send(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

ApiServer::ApiServer(uv_loop_t* loop, const Registry& registry)
    : loop_(loop), registry_(registry), spare_(open_spare()), reap_(loop, [this] { dead_.clear(); }) {}

void ApiServer::listen(UniqueFd listener, RequestHandler& handler) {
  handler_ = &handler;
  listener_ = std::move(listener);
  if (const Status unblocked = set_nonblocking(listener_.get()); !unblocked.ok()) {
    log_error("api_socket_refused", {{"error", unblocked.error()}});
    return;
  }
  poll_ = std::make_unique<Poll>(loop_, listener_.get(), [this](int) { on_acceptable(); });
  poll_->watch(UV_READABLE);
}

void ApiServer::on_acceptable() {
  for (int count = 0; count < kMaxTurnAccepts; ++count) {
    if (accept_one() == Accepted::kNone) return;
  }
}

ApiServer::Accepted ApiServer::accept_one() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.valid()) {
    add_client(std::move(socket));
    return Accepted::kOne;
  }
  if (errno == EMFILE || errno == ENFILE) return refuse_without_descriptor();
  return errno == ECONNABORTED || errno == EINTR ? Accepted::kOne : Accepted::kNone;
}

// Without this the listener would stay readable and the loop would spin.
ApiServer::Accepted ApiServer::refuse_without_descriptor() {
  spare_.reset();
  const UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.valid()) send_refusal(socket.get());
  log_warning("api_out_of_descriptors");
  return Accepted::kNone;
}

void ApiServer::add_client(UniqueFd socket) {
  if (!spare_.valid()) spare_ = open_spare();
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer) return;
  if (!has_room_for(peer.uid)) {
    send_refusal(socket.get());
    return;
  }
  const ConnectionId id = next_id_++;
  ConnectionListener& listener = *this;
  connections_.emplace(id, std::make_unique<Connection>(loop_, std::move(socket), peer.uid, id, listener));
}

bool ApiServer::has_room_for(uid_t uid) const {
  const Role role = registry_.role_of(uid);
  const std::size_t reserved = role == Role::kAdmin ? 0 : kReservedForAdmins;
  if (connections_.size() + reserved >= kMaxConnections) return false;
  if (role == Role::kNone && count_strangers() >= kMaxStrangers) return false;
  const auto is_same = [uid](const auto& entry) { return entry.second->uid() == uid; };
  const auto same = std::count_if(connections_.begin(), connections_.end(), is_same);
  return static_cast<std::size_t>(same) < kMaxPerUid;
}

std::size_t ApiServer::count_strangers() const {
  std::size_t count = 0;
  for (const auto& [id, connection] : connections_) {
    if (registry_.role_of(connection->uid()) == Role::kNone) ++count;
  }
  return count;
}

Connection* ApiServer::find(ConnectionId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

void ApiServer::send(ConnectionId id, const Answer& answer) {
  if (Connection* connection = find(id)) connection->send(answer);
}

bool ApiServer::try_begin_stream(ConnectionId id, std::string_view content_type,
                                 std::string_view first_bytes) {
  Connection* connection = find(id);
  if (connection == nullptr) return false;
  connection->begin_stream(content_type, first_bytes);
  return true;
}

bool ApiServer::try_stream(ConnectionId id, std::string_view bytes) {
  Connection* connection = find(id);
  return connection != nullptr && connection->try_stream(bytes);
}

void ApiServer::close(ConnectionId id) {
  if (Connection* connection = find(id)) connection->close();
}

void ApiServer::retire(std::function<void()> on_idle) {
  on_idle_ = std::move(on_idle);
  poll_.reset();
  listener_.reset();
  if (connections_.empty()) on_idle_();
}

std::size_t ApiServer::unsent_bytes_of(uid_t uid) const {
  std::size_t bytes = 0;
  for (const auto& [id, connection] : connections_) {
    if (connection->uid() == uid) bytes += connection->unsent_bytes();
  }
  return bytes;
}

void ApiServer::on_request(ConnectionId id, uid_t uid, const HttpRequest& request) {
  handler_->on_api_request(id, uid, request);
}

void ApiServer::on_connection_closed(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  dead_.push_back(std::move(found->second));
  connections_.erase(found);
  reap_.start(std::chrono::milliseconds(0));
  handler_->on_api_client_gone(id);
  if (on_idle_ && connections_.empty()) on_idle_();
}

}  // namespace rowhouse::control
