#include "proto/heads.h"

#include <algorithm>
#include <array>

#include "proto/frames.h"

namespace rowhouse::proto {
namespace {

constexpr std::array<std::string_view, 9> kMethods = {"",       "GET",     "HEAD",  "POST", "PUT",
                                                      "DELETE", "OPTIONS", "PATCH", "TRACE"};
constexpr std::array<std::string_view, kFieldNames> kNames = {
    "",           "accept",          "accept-encoding",   "accept-language",  "authorization",
    "cache-control", "content-type", "cookie",            "if-modified-since", "if-none-match",
    "origin",     "referer",         "user-agent",        "x-forwarded-for",  "x-forwarded-proto",
    "x-requested-with", "content-length", "date",         "etag",             "expires",
    "last-modified", "location",     "server",            "set-cookie",       "vary"};

constexpr std::size_t kMaxRequestIdBytes = 64;

Error invalid(const char* operation) { return make_error(ErrorCode::kInvalid, operation); }

void append_fields(std::string& out, std::span<const Field> fields) {
  append_integer(out, static_cast<std::uint16_t>(fields.size()));
  for (const Field& field : fields) {
    append_integer(out, field.number);
    if (field.number == 0) append_text16(out, field.name);
    append_text16(out, field.value);
  }
}

Result<std::span<const Field>> parse_fields(ByteReader& reader, FieldRoom& room) {
  const std::size_t count = reader.u16();
  if (count > kMaxFields) return make_error(ErrorCode::kTooLarge, "head fields");
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Field& field = room.fields[i];
    field.number = reader.u8();
    if (field.number >= kFieldNames) return invalid("head field name");
    field.name = field.number == 0 ? reader.text16() : kNames[field.number];
    field.value = reader.text16();
    const std::size_t size = field.name.size() + field.value.size();
    total += size;
    if (!reader.ok() || field.name.empty()) return invalid("head field");
    if (size > kMaxFieldBytes || total > kMaxHeadBytes) return make_error(ErrorCode::kTooLarge, "head field");
  }
  if (!reader.done()) return invalid("head");
  return std::span<const Field>(room.fields, count);
}

}  // namespace

Method method_number(std::string_view name) {
  for (std::size_t i = 1; i < kMethods.size(); ++i) {
    if (kMethods[i] == name) return static_cast<Method>(i);
  }
  return Method::kOther;
}

std::string_view method_name(Method method) {
  const auto number = static_cast<std::size_t>(method);
  return number < kMethods.size() ? kMethods[number] : "";
}

std::string_view field_name(std::uint8_t number) { return number < kFieldNames ? kNames[number] : ""; }

std::uint8_t field_number(std::string_view lower_case_name) {
  for (std::uint8_t i = 1; i < kFieldNames; ++i) {
    if (kNames[i].size() == lower_case_name.size() && kNames[i] == lower_case_name) return i;
  }
  return 0;
}

void append_request(std::string& out, std::uint32_t stream, const RequestHead& head, RequestBody body) {
  std::uint8_t flags = body == RequestBody::kFollows ? 0 : kFlagLast;
  if (body == RequestBody::kUpgrade) flags |= kFlagUpgrade;
  const std::size_t frame = begin_frame(out, FrameType::kRequest, flags, stream);
  append_integer(out, static_cast<std::uint8_t>(head.method));
  append_integer(out, head.version);
  append_integer(out, static_cast<std::uint8_t>(head.https ? 1 : 0));
  append_integer(out, std::uint8_t{0});
  append_integer(out, head.app);
  append_integer(out, head.body_length);
  append_integer(out, head.remote_port);
  append_integer(out, head.server_port);
  append_text16(out, head.method == Method::kOther ? head.method_name : std::string_view());
  for (const std::string_view text : {head.target, head.script_name, head.path_info, head.query, head.host,
                                      head.remote_address, head.server_name, head.request_id}) {
    append_text16(out, text);
  }
  append_fields(out, head.fields);
  finish_frame(out, frame);
}

Result<RequestHead> parse_request(ByteSpan payload, FieldRoom& room) {
  ByteReader reader(payload);
  RequestHead head;
  const std::uint8_t method = reader.u8();
  head.version = reader.u8();
  const std::uint8_t scheme = reader.u8();
  const std::uint8_t reserved = reader.u8();
  head.app = reader.u32();
  head.body_length = reader.u64();
  head.remote_port = reader.u16();
  head.server_port = reader.u16();
  head.method_name = reader.text16();
  for (std::string_view* text : {&head.target, &head.script_name, &head.path_info, &head.query, &head.host,
                                 &head.remote_address, &head.server_name, &head.request_id}) {
    *text = reader.text16();
  }
  if (!reader.ok() || method >= kMethods.size() || scheme > 1 || reserved != 0) return invalid("REQUEST");
  if (head.version != 10 && head.version != 11) return invalid("REQUEST version");
  if ((method == 0) == head.method_name.empty()) return invalid("REQUEST method");
  if (head.target.size() > kMaxTargetBytes || head.request_id.size() > kMaxRequestIdBytes) {
    return make_error(ErrorCode::kTooLarge, "REQUEST");
  }
  head.method = static_cast<Method>(method);
  head.https = scheme == 1;
  if (method != 0) head.method_name = kMethods[method];
  RH_ASSIGN(head.fields, parse_fields(reader, room));
  return head;
}

namespace {

void append_response_head(std::string& out, FrameType type, std::uint32_t stream, const ResponseHead& head) {
  const std::size_t frame = begin_frame(out, type, 0, stream);
  append_integer(out, head.status);
  append_text16(out, head.reason);
  append_fields(out, head.fields);
  finish_frame(out, frame);
}

Result<ResponseHead> parse_response_head(ByteSpan payload, FieldRoom& room) {
  ByteReader reader(payload);
  ResponseHead head;
  head.status = reader.u16();
  head.reason = reader.text16();
  if (!reader.ok()) return invalid("RESPONSE");
  if (head.reason.size() > kMaxReasonBytes) return make_error(ErrorCode::kTooLarge, "RESPONSE reason");
  RH_ASSIGN(head.fields, parse_fields(reader, room));
  return head;
}

}  // namespace

void append_response(std::string& out, std::uint32_t stream, const ResponseHead& head) {
  append_response_head(out, FrameType::kResponse, stream, head);
}

Result<ResponseHead> parse_response(ByteSpan payload, FieldRoom& room) {
  RH_ASSIGN(const ResponseHead head, parse_response_head(payload, room));
  if (head.status < 200 || head.status > 599) return invalid("RESPONSE status");
  return head;
}

void append_tunnel(std::string& out, std::uint32_t stream, const ResponseHead& head) {
  append_response_head(out, FrameType::kTunnel, stream, head);
}

Result<ResponseHead> parse_tunnel(ByteSpan payload, FieldRoom& room) {
  RH_ASSIGN(const ResponseHead head, parse_response_head(payload, room));
  if (head.status != 101) return invalid("TUNNEL status");
  return head;
}

}  // namespace rowhouse::proto
