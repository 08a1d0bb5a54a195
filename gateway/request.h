// One request as the rest of the gateway knows it, in whatever version of HTTP it came: what is needed after
// its head has been parsed, for routing, for the REQUEST frame and for the access record.  Buffers are
// reused.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/head_rules.h"
#include "gateway/trusted_proxies.h"
#include "proto/heads.h"

namespace rowhouse::gateway {

// Where a client is, known once for each connection.
struct ClientAddress {
  std::string remote;  // "192.0.2.1", "2001:db8::1"; "" on a UNIX socket
  std::uint16_t remote_port = 0;
  std::uint16_t server_port = 0;
  std::uint64_t client = 0;  // of client_counts.h
  std::optional<AddressBytes> bytes;  // nothing on a UNIX socket
  bool counted = false;      // among the connections of its client
  bool trusted = false;      // a proxy that may say who its client is
  std::uint32_t listener = 0;  // where it came in
};

inline constexpr std::size_t kRequestIdBytes = 16;

struct Request {
  // The texts below are parts of it, as the client sent them.
  std::string block;
  std::string_view method, target, query, authority, referer, user_agent, accept;

  std::string host;  // for routing: lower case, without port
  std::string path;  // normal form
  proto::Method method_number = proto::Method::kOther;
  std::uint8_t version = 11;
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t content_length = 0;
  bool keep_alive = false;
  bool expect_continue = false;
  bool offers_websocket = false;
  std::array<char, kRequestIdBytes> request_id{};
  bool https = false;         // to the client, as a trusted proxy says
  std::string client_text;    // the client's address, as a trusted proxy says; empty: the connection's own

  // A request whose head is not known (yet).
  void forget() {
    method = target = query = authority = referer = user_agent = accept = {};
    method_number = proto::Method::kOther;
    version = 11;
    framing = BodyFraming::kNone;
    content_length = 0;
    expect_continue = offers_websocket = false;
    request_id = {};
    https = false;
    client_text.clear();
  }
  // 16 hex digits, or nothing when the head is not known.
  [[nodiscard]] std::string_view id() const {
    return {request_id.data(), request_id[0] == '\0' ? 0 : request_id.size()};
  }
  [[nodiscard]] bool has_body() const { return framing == BodyFraming::kChunked || content_length > 0; }
  [[nodiscard]] bool is_head() const { return method_number == proto::Method::kHead; }
  // May run twice without harm (RFC 9110 9.2.1), so its START proves nothing.
  [[nodiscard]] bool is_safe() const {
    return method_number == proto::Method::kGet || method_number == proto::Method::kHead ||
           method_number == proto::Method::kOptions;
  }
  // Running it twice has the effect of running it once (RFC 9110 9.2.2), if the app keeps to that.
  [[nodiscard]] bool is_idempotent() const {
    return is_safe() || method_number == proto::Method::kPut || method_number == proto::Method::kDelete ||
           method_number == proto::Method::kTrace;
  }
  // May wait inside a busy worker.
  [[nodiscard]] bool is_prefetchable() const {
    return !has_body() && !offers_websocket && (method_number == proto::Method::kGet || method_number == proto::Method::kHead);
  }
};

// Fills everything that the head says; `head` is what check_head made of `request.block`.
void describe_request(Request& request, const CheckedHead& head);

}  // namespace rowhouse::gateway
