#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "gateway/client_counts.h"

namespace rowhouse::gateway {
namespace {

std::uint64_t number(const char* text) {
  sockaddr_in in{};
  if (::inet_pton(AF_INET, text, &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    return client_number(reinterpret_cast<const sockaddr&>(in));
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  REQUIRE(::inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
  return client_number(reinterpret_cast<const sockaddr&>(in6));
}

}  // namespace

TEST_CASE("every IPv4 address is a client of its own, also where it is mapped into IPv6") {
  CHECK(number("192.0.2.1") != number("192.0.2.2"));
  CHECK(number("192.0.2.1") == number("::ffff:192.0.2.1"));
}

TEST_CASE("this host is one client, whatever loopback address it takes") {
  for (const char* own : {"127.0.0.1", "127.255.0.7", "::1", "::ffff:127.0.0.1"}) {
    CAPTURE(own);
    CHECK(number(own) == 0);
  }
  sockaddr_un unix_address{};
  unix_address.sun_family = AF_UNIX;
  CHECK(client_number(reinterpret_cast<const sockaddr&>(unix_address)) == 0);
  CHECK(number("128.0.0.1") != 0);
}

TEST_CASE("a /64 of IPv6 is one client") {
  CHECK(number("2001:db8:1:2::1") == number("2001:db8:1:2:ffff::9"));
  CHECK(number("2001:db8:1:2::1") != number("2001:db8:1:3::1"));
}

TEST_CASE("a client is refused at the limit, others are not, and leaving makes room") {
  ClientCounts counts(2);
  CHECK(counts.enter(7));
  CHECK(counts.enter(7));
  CHECK_FALSE(counts.enter(7));
  CHECK(counts.enter(8));
  counts.leave(7);
  CHECK(counts.enter(7));
  CHECK_FALSE(counts.enter(7));
}

}  // namespace rowhouse::gateway
