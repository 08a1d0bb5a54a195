#include "gateway/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

using Verdict = std::variant<ProxyHeader, ProxyHeaderIncomplete, ProxyHeaderMalformed>;

constexpr std::string_view kMagic1 = "PROXY ";
constexpr std::string_view kMagic2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kMaxLineBytes = 107;  // with CRLF
constexpr std::size_t kFixedBytes = 16;     // of version 2

// What is there of it is right so far.
bool begins_like(std::string_view input, std::string_view magic) {
  const std::size_t count = std::min(input.size(), magic.size());
  return input.substr(0, count) == magic.substr(0, count);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool plain = text.size() == 1 || !text.starts_with('0');
  if (text.empty() || !plain || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// The next word of a line whose words have one space between them.
std::string_view take_word(std::string_view& rest) {
  const std::size_t space = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, space);
  rest.remove_prefix(std::min(space + 1, rest.size()));
  return word;
}

Verdict parse_line(std::string_view line, std::size_t bytes) {
  std::string_view rest = line.substr(kMagic1.size());
  const std::string_view family = take_word(rest);
  if (family == "UNKNOWN") return ProxyHeader{bytes, std::nullopt, 0};
  if (family != "TCP4" && family != "TCP6") return ProxyHeaderMalformed{};
  const std::string_view source_text = take_word(rest);
  const auto source = parse_address(source_text);
  const std::string_view target_text = take_word(rest);
  const auto source_port = parse_port(take_word(rest));
  const auto target_port = parse_port(rest);
  const bool six = family == "TCP6";
  const bool families = (source_text.find(':') != std::string_view::npos) == six &&
                        (target_text.find(':') != std::string_view::npos) == six;
  if (!source || !parse_address(target_text) || !source_port || !target_port || !families) {
    return ProxyHeaderMalformed{};
  }
  return ProxyHeader{bytes, source, *source_port};
}

Verdict parse_version1(std::string_view input) {
  const std::string_view window = input.substr(0, kMaxLineBytes);
  const std::size_t end = window.find('\n');
  if (end == std::string_view::npos) {
    return window.size() == kMaxLineBytes ? Verdict(ProxyHeaderMalformed{})
                                          : Verdict(ProxyHeaderIncomplete{});
  }
  if (end < kMagic1.size() || window[end - 1] != '\r') return ProxyHeaderMalformed{};
  return parse_line(window.substr(0, end - 1), end + 1);
}

std::uint16_t big16(std::string_view bytes) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                                    static_cast<unsigned char>(bytes[1]));
}

Verdict parse_version2(std::string_view input) {
  if (input.size() < kFixedBytes) return ProxyHeaderIncomplete{};
  const auto command = static_cast<unsigned char>(input[12]);
  const auto family = static_cast<unsigned char>(input[13]);
  const std::size_t length = big16(input.substr(14));
  const std::size_t bytes = kFixedBytes + length;
  if ((command != 0x20 && command != 0x21) || bytes > kMaxProxyHeaderBytes) return ProxyHeaderMalformed{};
  if (input.size() < bytes) return ProxyHeaderIncomplete{};
  const std::string_view address = input.substr(kFixedBytes, length);
  if (command == 0x20) return ProxyHeader{bytes, std::nullopt, 0};
  ProxyHeader header{bytes, std::nullopt, 0};
  AddressBytes client{};
  switch (family) {
    case 0x11:  // TCP over IPv4
      if (length < 12) return ProxyHeaderMalformed{};
      client[10] = client[11] = 0xff;
      std::copy_n(address.begin(), 4, client.begin() + 12);
      header.port = big16(address.substr(8));
      break;
    case 0x21:  // TCP over IPv6
      if (length < 36) return ProxyHeaderMalformed{};
      std::copy_n(address.begin(), 16, client.begin());
      header.port = big16(address.substr(32));
      break;
    case 0x00:  // unspecified
    case 0x31:  // a UNIX stream
      return header;
    default: return ProxyHeaderMalformed{};
  }
  header.client = client;
  return header;
}

}  // namespace

std::variant<ProxyHeader, ProxyHeaderIncomplete, ProxyHeaderMalformed> parse_proxy_header(
    std::string_view input) {
  if (begins_like(input, kMagic2)) {
    return input.size() < kMagic2.size() ? Verdict(ProxyHeaderIncomplete{}) : parse_version2(input);
  }
  if (begins_like(input, kMagic1)) {
    return input.size() < kMagic1.size() ? Verdict(ProxyHeaderIncomplete{}) : parse_version1(input);
  }
  return ProxyHeaderMalformed{};
}

}  // namespace rowhouse::gateway
