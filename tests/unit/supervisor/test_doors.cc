// Listening sockets: which are new, which go, and by which address a socket is known again.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "supervisor/directories.h"
#include "supervisor/doors.h"

namespace rowhouse::supervisor {
namespace {

using proto::ListenRecord;

ListenRecord tcp(std::uint16_t port, bool proxy_protocol = false) {
  ListenRecord listen;
  listen.address = {127, 0, 0, 1};
  listen.port = port;
  listen.proxy_protocol = proxy_protocol;
  return listen;
}

ListenRecord local(std::string_view path) {
  ListenRecord listen;
  listen.path = proto::Path::cut(path);
  return listen;
}

std::vector<Door> doors_of(const std::vector<ListenRecord>& listen) {
  std::vector<Door> doors;
  for (const ListenRecord& entry : listen) doors.push_back({static_cast<std::uint32_t>(doors.size()), {}, entry});
  return doors;
}

TEST_CASE("the order of the entries does not matter, the way connections begin does") {
  CHECK(same_doors({tcp(1), tcp(2), local("/a")}, {local("/a"), tcp(1), tcp(2)}));
  CHECK_FALSE(same_doors({tcp(1)}, {tcp(2)}));
  CHECK_FALSE(same_doors({tcp(1)}, {tcp(1), tcp(2)}));
  CHECK_FALSE(same_doors({tcp(1)}, {tcp(1, true)}));
}

TEST_CASE("doors that stay keep their numbers, and only what is not there is missing") {
  std::vector<Door> doors = doors_of({tcp(1), tcp(2), local("/a")});
  const std::vector<ListenRecord> wanted{local("/a"), tcp(3), tcp(1, true)};
  const std::vector<ListenRecord> missing = missing_doors(doors, wanted);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].port == 3);
  const std::vector<Door> gone = take_unwanted(doors, wanted);
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].number == 1);
  REQUIRE(doors.size() == 2);
  CHECK(doors[0].number == 0);
  CHECK(doors[0].listen.proxy_protocol);
  CHECK(doors[1].number == 2);
  CHECK(next_number(doors) == 3);
  CHECK(next_number({}) == 0);
}

TEST_CASE("a socket is known again by its address") {
  std::string problem;
  // A port that the kernel chooses: 0 in the entry.
  const auto socket = open_listener(tcp(0), problem);
  REQUIRE(socket.ok());
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  REQUIRE(::getsockname(socket.value().get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
  const std::uint16_t port = ntohs(bound.sin_port);
  CHECK(is_bound_to(socket.value().get(), tcp(port)));
  CHECK(is_bound_to(socket.value().get(), tcp(port, true)));
  CHECK_FALSE(is_bound_to(socket.value().get(), tcp(static_cast<std::uint16_t>(port ^ 1))));
  ListenRecord other = tcp(port);
  other.address[3] = 2;
  CHECK_FALSE(is_bound_to(socket.value().get(), other));
  other = tcp(port);
  other.ipv6 = true;
  CHECK_FALSE(is_bound_to(socket.value().get(), other));
  CHECK_FALSE(is_bound_to(socket.value().get(), local("/a")));
  int pipe_ends[2];
  REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
  CHECK_FALSE(is_bound_to(pipe_ends[0], tcp(port)));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  // An address that is taken is refused by its name.
  CHECK_FALSE(open_listener(tcp(port), problem).ok());
  CHECK(problem == "cannot listen on 127.0.0.1:" + std::to_string(port) + ": Address already in use");
}

}  // namespace
}  // namespace rowhouse::supervisor
