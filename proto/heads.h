// The heads of REQUEST and RESPONSE frames, and the numbers of methods and well-known field names.
// Page: PROTOCOL.request.md.  Everything in a parsed head is borrowed from the frame's payload.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/limits.h"

namespace rowhouse::proto {

enum class Method : std::uint8_t {
  kOther = 0, kGet = 1, kHead = 2, kPost = 3, kPut = 4, kDelete = 5, kOptions = 6, kPatch = 7, kTrace = 8,
};
[[nodiscard]] Method method_number(std::string_view name);  // kOther when it has none
[[nodiscard]] std::string_view method_name(Method method);  // "" for kOther

// Well-known field names, lower case; number 0 means: no number.
inline constexpr std::uint8_t kFieldNames = 25;
enum FieldNumber : std::uint8_t {
  kFieldContentType = 6,
  kFieldCookie = 7,
  kFieldContentLength = 16,
  kFieldDate = 17,
  kFieldLocation = 21,
  kFieldServer = 22,
  kFieldSetCookie = 23,
};
[[nodiscard]] std::string_view field_name(std::uint8_t number);  // "" for 0 and beyond
[[nodiscard]] std::uint8_t field_number(std::string_view lower_case_name);

struct Field {
  std::uint8_t number = 0;  // 0: `name` is literal; `name` is always filled
  std::string_view name;
  std::string_view value;
};

inline constexpr std::uint64_t kUnknownLength = ~std::uint64_t{0};

struct RequestHead {
  Method method = Method::kGet;
  std::uint8_t version = 11;  // 10 or 11
  bool https = false;
  std::uint32_t app = 0;
  std::uint64_t body_length = 0;  // or kUnknownLength
  std::uint16_t remote_port = 0;
  std::uint16_t server_port = 0;
  std::string_view method_name;  // filled also when the method has a number
  std::string_view target, script_name, path_info, query, host, remote_address, server_name, request_id;
  std::span<const Field> fields;
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string_view reason;  // empty: the standard phrase
  std::span<const Field> fields;
};

// Room for the fields of one head; a parsed head's `fields` points into it.
struct FieldRoom {
  Field fields[kMaxFields];
};

// kUpgrade: there is none, and the client offers to speak WebSocket.
enum class RequestBody : std::uint8_t { kNone, kFollows, kUpgrade };

// Appends one REQUEST frame.  REQUIRES: the head is within the caps of limits.h.
void append_request(std::string& out, std::uint32_t stream, const RequestHead& head, RequestBody body);
[[nodiscard]] Result<RequestHead> parse_request(ByteSpan payload, FieldRoom& room);

// Appends one RESPONSE frame.  REQUIRES: the head is within the caps of limits.h.
void append_response(std::string& out, std::uint32_t stream, const ResponseHead& head);
// Appends one TUNNEL frame: the head of the 101 that the client is sent.
void append_tunnel(std::string& out, std::uint32_t stream, const ResponseHead& head);
[[nodiscard]] Result<ResponseHead> parse_tunnel(ByteSpan payload, FieldRoom& room);
// Checks the caps and the range of status (200-599); the characters of names, values and reason are the
// gateway's to check.
[[nodiscard]] Result<ResponseHead> parse_response(ByteSpan payload, FieldRoom& room);

}  // namespace rowhouse::proto
