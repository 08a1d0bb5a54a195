#include "gateway/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "gateway/caps.h"
#include "gateway/client_counts.h"

namespace rowhouse::gateway {
namespace {

union SocketAddress {
  sockaddr any;
  sockaddr_in in;
  sockaddr_in6 in6;
  sockaddr_storage room;
};

std::string text_of(int family, const void* address) {
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(family, address, text, sizeof text) != nullptr ? text : "";
}

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};

Endpoint endpoint_of(const SocketAddress& address) {
  if (address.any.sa_family == AF_INET) {
    return {text_of(AF_INET, &address.in.sin_addr), ntohs(address.in.sin_port)};
  }
  if (address.any.sa_family != AF_INET6) return {};
  const std::uint16_t port = ntohs(address.in6.sin6_port);
  const std::uint8_t* bytes = address.in6.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address.in6.sin6_addr)) return {text_of(AF_INET, bytes + 12), port};
  return {text_of(AF_INET6, bytes), port};
}

std::uint16_t port_of(int socket) {
  SocketAddress local{};
  socklen_t size = sizeof local;
  return ::getsockname(socket, &local.any, &size) == 0 ? endpoint_of(local).port : std::uint16_t{0};
}

UniqueFd open_reserve() {
  return UniqueFd(::eventfd(0, EFD_CLOEXEC));
}

}  // namespace

Listener::Listener(uv_loop_t* loop, UniqueFd socket, const ListenerIdentity& identity, ClientListener& clients)
    : clients_(clients),
      socket_(std::move(socket)),
      identity_(identity),
      port_(port_of(socket_.get())),
      reserve_(open_reserve()),
      poll_(loop, socket_.get(), [this](int) { on_ready(); }) {
  // Accepted sockets inherit it (tcp(7)); on a UNIX socket it fails and does not matter.
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  poll_.watch(UV_READABLE);
}

void Listener::on_ready() {
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    if (!accept_one()) return;
  }
}

void Listener::take_the_rest() {
  for (int i = 0; i < kMaxFinalAccepts; ++i) {
    if (!accept_one()) return;
  }
}

bool Listener::accept_one() {
  SocketAddress remote{};
  socklen_t size = sizeof remote;
  UniqueFd client(::accept4(socket_.get(), &remote.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client.valid()) {
    if (errno == EMFILE || errno == ENFILE) turn_away();
    // EAGAIN: another gateway was faster.  ECONNABORTED and the like: the client has gone.
    return false;
  }
  Endpoint from = endpoint_of(remote);
  ClientAddress address{std::move(from.host), from.port, port_, client_number(remote.any)};
  address.bytes = address_bytes(remote.any);
  address.listener = identity_.number;
  clients_.on_client(std::move(client), std::move(address), identity_.preface);
  return true;
}

void Listener::turn_away() {
  reserve_.reset();
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (client.valid()) turn_client_away(std::move(client));
  reserve_ = open_reserve();
}

void turn_client_away(UniqueFd socket) {
  static constexpr char kAnswer[] =
      "HTTP/1.1 503 Service Unavailable\r\nServer: Rowhouse\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
      "Connection: close\r\n\r\n";
  if (::send(socket.get(), kAnswer, sizeof kAnswer - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
  ::shutdown(socket.get(), SHUT_WR);
}

}  // namespace rowhouse::gateway
