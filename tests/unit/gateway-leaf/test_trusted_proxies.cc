// Who may say who the client is, and what is believed of it.
#include <doctest/doctest.h>

#include "gateway/proxy_header.h"
#include "gateway/trusted_proxies.h"

namespace rowhouse::gateway {
namespace {

using namespace std::string_literals;

proto::TrustedProxy network(std::string_view text, unsigned bits) {
  proto::TrustedProxy proxy;
  const auto bytes = parse_address(text);
  REQUIRE(bytes);
  proxy.ipv6 = text.find(':') != std::string_view::npos;
  std::copy(bytes->begin() + (proxy.ipv6 ? 0 : 12), bytes->end(), proxy.address.begin());
  proxy.bits = static_cast<std::uint8_t>(bits);
  return proxy;
}

TrustedProxies proxies() {
  TrustedProxies trusted;
  trusted.add(network("10.0.0.0", 8));
  trusted.add(network("192.0.2.7", 32));
  trusted.add(network("2001:db8::", 33));
  return trusted;
}

bool trusts(std::string_view text) {
  return proxies().trusts(*parse_address(text));
}

TEST_CASE("a network is its first bits and no more") {
  for (const auto text : {"10.0.0.0", "10.255.1.2", "192.0.2.7", "2001:db8:7fff::1", "::ffff:10.1.1.1"}) {
    CAPTURE(text);
    CHECK(trusts(text));
  }
  for (const auto text : {"11.0.0.0", "192.0.2.6", "192.0.2.8", "2001:db8:8000::1", "::1", "::a00:1"}) {
    CAPTURE(text);
    CHECK_FALSE(trusts(text));
  }
  CHECK_FALSE(TrustedProxies().trusts(*parse_address("127.0.0.1")));
  CHECK_FALSE(TrustedProxies().trusts_local());
}

std::string client(const std::vector<HeadField>& fields, ForwardedBy by = ForwardedBy::kXForwarded) {
  const Origin origin = read_origin(fields, by, proxies());
  return (origin.client ? address_text(*origin.client) : "-") + (origin.https ? " https" : "");
}

TEST_CASE("the client is the first address from the right that is no proxy of ours") {
  CHECK(client({}) == "-");
  CHECK(client({{"X-Forwarded-For", "203.0.113.9"}}) == "203.0.113.9");
  CHECK(client({{"X-Forwarded-For", "1.1.1.1, 203.0.113.9"}}) == "203.0.113.9");
  CHECK(client({{"X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.3"}}) == "203.0.113.9");
  CHECK(client({{"x-forwarded-for", "1.1.1.1"}, {"X-Forwarded-For", "203.0.113.9,10.0.0.3"}}) ==
        "203.0.113.9");
  CHECK(client({{"X-Forwarded-For", "10.0.0.4, 10.0.0.3"}}) == "10.0.0.4");
  CHECK(client({{"X-Forwarded-For", "203.0.113.9:4711"}}) == "203.0.113.9");
  CHECK(client({{"X-Forwarded-For", "[2001:db9::1]:4711"}}) == "2001:db9::1");
  CHECK(client({{"X-Forwarded-For", "203.0.113.9, unknown"}}) == "-");
  CHECK(client({{"X-Forwarded-For", "evil, 10.0.0.3"}}) == "10.0.0.3");
  CHECK(client({{"X-Forwarded-For", ""}}) == "-");
}

TEST_CASE("only the fields of the kind that the host names are read, and the scheme is the nearest proxy's") {
  const std::vector<HeadField> both = {
      {"X-Forwarded-For", "203.0.113.9"},
      {"X-Forwarded-Proto", "http, https"},
      {"Forwarded", "for=198.51.100.1;proto=https, for=198.51.100.2;proto=http"}};
  CHECK(client(both) == "203.0.113.9 https");
  CHECK(client(both, ForwardedBy::kRfc7239) == "198.51.100.2");
  CHECK(client({{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Ssl", "off"}}) == "- https");
  CHECK(client({{"X-Forwarded-Proto", "https,http"}}) == "-");
  CHECK(client({{"Forwarded", "For=\"[2001:db9::17]:4711\" ; Proto=HTTPS"}}, ForwardedBy::kRfc7239) ==
        "2001:db9::17 https");
  CHECK(client({{"Forwarded", "for=unknown"}}, ForwardedBy::kRfc7239) == "-");
}

std::string verdict(const std::string& input) {
  const auto parsed = parse_proxy_header(input);
  if (std::holds_alternative<ProxyHeaderIncomplete>(parsed)) return "more";
  const auto* header = std::get_if<ProxyHeader>(&parsed);
  if (header == nullptr) return "malformed";
  return std::to_string(header->bytes) + " " +
         (header->client ? address_text(*header->client) + " " + std::to_string(header->port) : "-");
}

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kFour =
    "\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x00\x50"s;  // 203.0.113.9 4711 -> 192.0.2.1 80

struct Row {
  std::string input, expected;
};
const std::vector<Row> kRows = {
    {"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n", "42 203.0.113.9 4711"},
    {"PROXY TCP6 2001:db9::1 2001:db8::1 4711 80\r\nGET", "44 2001:db9::1 4711"},
    {"PROXY UNKNOWN\r\n", "15 -"},
    {"PROXY UNKNOWN ff::1 ff::2 1 2\r\n", "31 -"},
    {"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\n", "malformed"},
    {"PROXY TCP4 203.0.113.9  192.0.2.1 4711 80\r\n", "malformed"},
    {"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80 \r\n", "malformed"},
    {"PROXY TCP4 203.0.113.9 192.0.2.1 04711 80\r\n", "malformed"},
    {"PROXY TCP4 203.0.113.9 192.0.2.1 70000 80\r\n", "malformed"},
    {"PROXY TCP4 2001:db9::1 192.0.2.1 4711 80\r\n", "malformed"},
    {"PROXY TCP6 203.0.113.9 192.0.2.1 4711 80\r\n", "malformed"},
    {"PROXY TCP5 203.0.113.9 192.0.2.1 4711 80\r\n", "malformed"},
    {"PROXY TCP4\r\n", "malformed"},
    {"PROXY " + std::string(120, 'x'), "malformed"},
    {"GET / HTTP/1.1\r\n", "malformed"},
    {"proxy TCP4 203.0.113.9 192.0.2.1 4711 80\r\n", "malformed"},
    {kSignature + "\x21\x11\x00\x0c"s + kFour, "28 203.0.113.9 4711"},
    {kSignature + "\x21\x11\x00\x0f"s + kFour + "\x01\x00\x00"s, "31 203.0.113.9 4711"},
    {kSignature + "\x20\x00\x00\x00"s, "16 -"},
    {kSignature + "\x21\x00\x00\x00"s, "16 -"},
    {kSignature + "\x21\x11\x00\x0b"s + kFour, "malformed"},
    {kSignature + "\x21\x21\x00\x0c"s + kFour, "malformed"},
    {kSignature + "\x21\x12\x00\x0c"s + kFour, "malformed"},
    {kSignature + "\x11\x11\x00\x0c"s + kFour, "malformed"},
    {kSignature + "\x22\x11\x00\x0c"s + kFour, "malformed"},
    {kSignature + "\x21\x11\xff\xff"s + kFour, "malformed"},
};

TEST_CASE("a PROXY header has one reading, however it is split") {
  for (const Row& row : kRows) {
    CAPTURE(row.input);
    CHECK(verdict(row.input) == row.expected);
    for (std::size_t size = 0; size < row.input.size(); ++size) {
      const std::string part = verdict(row.input.substr(0, size));
      // A verdict that came early stays.
      if (part != "more") REQUIRE(part == row.expected);
    }
    if (row.expected != "malformed") CHECK(verdict(row.input + "GET / HTTP/1.1\r\n") == row.expected);
  }
}

}  // namespace
}  // namespace rowhouse::gateway
