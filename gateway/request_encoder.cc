#include "gateway/request_encoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "gateway/http_bytes.h"
#include "proto/frames.h"

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kJoint = "; ";
constexpr std::size_t kFlagsOffset = 5;   // of the frame header
constexpr std::size_t kStreamOffset = 8;

// Fields that come at most once (RFC 9110 5.3: not defined as a list).
constexpr std::array<std::string_view, 9> kSingletons = {
    "authorization", "content-type", "from",    "if-modified-since", "if-unmodified-since",
    "max-forwards",  "origin",       "referer", "user-agent"};

constexpr Refusal kTwice{400, proto::Cause::kBadRequest, 0, AfterAnswer::kClose};
constexpr Refusal kTooMuch{431, proto::Cause::kTooLarge, 0, AfterAnswer::kClose};

// Collects the fields of the frame.  `room.text` never moves while fields point into it: it is reserved for
// the most that one head can need.
class FieldCollector {
 public:
  explicit FieldCollector(EncoderRoom& room) : room_(room) {
    room_.text.clear();
    room_.text.reserve(2 * proto::kMaxHeadBytes + 2 * proto::kMaxFields);
  }

  std::optional<Refusal> add_client_field(const HeadField& field) {
    const std::string_view name = lower(field.name);
    if (is_dropped_request_field(name)) return std::nullopt;
    const std::uint8_t number = proto::field_number(name);
    if (number == proto::kFieldCookie) {
      // Only counted here; joined when all are known.
      cookie_bytes_ += field.value.size() + kJoint.size();
      return std::nullopt;
    }
    if (is_second_singleton(name)) return kTwice;
    return add(number, name, field.value);
  }

  std::optional<Refusal> add_cookies(std::span<const HeadField> fields) {
    if (cookie_bytes_ == 0) return std::nullopt;
    if (cookie_bytes_ > proto::kMaxFieldBytes) return kTooMuch;
    const std::size_t start = room_.text.size();
    for (const HeadField& field : fields) {
      if (!equals_lower(field.name, "cookie")) continue;
      if (room_.text.size() > start) room_.text.append(kJoint);
      room_.text.append(field.value);
    }
    return add(proto::kFieldCookie, "cookie", std::string_view(room_.text).substr(start));
  }

  std::optional<Refusal> add(std::uint8_t number, std::string_view name, std::string_view value) {
    const std::size_t bytes = name.size() + value.size();
    bytes_ += bytes;
    if (count_ == proto::kMaxFields || bytes > proto::kMaxFieldBytes || bytes_ > proto::kMaxHeadBytes) {
      return kTooMuch;
    }
    room_.fields.fields[count_++] = {number, name, value};
    return std::nullopt;
  }
  [[nodiscard]] std::span<const proto::Field> fields() const { return {room_.fields.fields, count_}; }

 private:
  std::string_view lower(std::string_view name) {
    const std::size_t start = room_.text.size();
    for (const char byte : name) room_.text.push_back(to_lower(byte));
    return std::string_view(room_.text).substr(start);
  }
  bool is_second_singleton(std::string_view name) {
    const auto* place = std::find(kSingletons.begin(), kSingletons.end(), name);
    if (place == kSingletons.end()) return false;
    const auto bit = 1U << static_cast<unsigned>(place - kSingletons.begin());
    const bool second = (seen_ & bit) != 0;
    seen_ |= bit;
    return second;
  }

  EncoderRoom& room_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::size_t cookie_bytes_ = 0;
  unsigned seen_ = 0;
};

// The client as the app is told.
std::string_view remote_of(const Request& request, const ClientAddress& client) {
  return request.client_text.empty() ? std::string_view(client.remote) : std::string_view(request.client_text);
}

// On a UNIX socket: what the client most likely sees.
std::uint16_t default_port(const Request& request) {
  return request.https ? 443 : 80;
}

std::optional<Refusal> collect(FieldCollector& fields, const CheckedHead& head, const Request& request,
                               const ClientAddress& client) {
  for (const HeadField& field : head.fields) {
    if (const auto refusal = fields.add_client_field(field)) return refusal;
  }
  if (const auto refusal = fields.add_cookies(head.fields)) return refusal;
  const std::array<std::pair<std::string_view, std::string_view>, 3> ours = {
      {{"x-forwarded-for", remote_of(request, client)},
       {"x-forwarded-proto", request.https ? "https" : "http"},
       {"x-forwarded-host", head.authority}}};
  for (const auto& [name, value] : ours) {
    if (value.empty()) continue;
    if (const auto refusal = fields.add(proto::field_number(name), name, value)) return refusal;
  }
  return std::nullopt;
}

std::uint64_t body_length_of(const Request& request) {
  return request.framing == BodyFraming::kChunked ? proto::kUnknownLength : request.content_length;
}

}  // namespace

std::optional<Refusal> encode_request(std::string& frame, EncoderRoom& room, const Request& request,
                                      const CheckedHead& head, const RequestRoute& route,
                                      const ClientAddress& client) {
  FieldCollector fields(room);
  if (const auto refusal = collect(fields, head, request, client)) return refusal;
  const std::string_view path = request.path;
  proto::RequestHead out;
  out.method = request.method_number;
  out.version = request.version;
  out.app = route.app;
  out.body_length = body_length_of(request);
  out.https = request.https;
  out.remote_port = request.client_text.empty() ? client.remote_port : std::uint16_t{0};
  out.server_port = client.server_port != 0 ? client.server_port : default_port(request);
  out.method_name = request.method;
  out.target = request.target;
  out.script_name = path.substr(0, route.prefix_bytes);
  out.path_info = path.substr(route.prefix_bytes);
  out.query = request.query;
  out.host = request.authority;
  out.remote_address = remote_of(request, client);
  out.server_name = request.host;
  out.request_id = request.id();
  out.fields = fields.fields();
  frame.clear();
  proto::RequestBody body = request.has_body() ? proto::RequestBody::kFollows : proto::RequestBody::kNone;
  if (request.offers_websocket) body = proto::RequestBody::kUpgrade;
  proto::append_request(frame, 0, out, body);
  return std::nullopt;
}

void set_stream(std::string& frame, std::uint32_t stream) {
  std::memcpy(frame.data() + kStreamOffset, &stream, sizeof stream);
}

bool offers_upgrade(std::string_view frame) {
  return (static_cast<std::uint8_t>(frame[kFlagsOffset]) & proto::kFlagUpgrade) != 0;
}

void describe_request(Request& request, const CheckedHead& head) {
  request.method = head.method;
  request.target = head.target;
  request.query = head.query;
  request.authority = head.authority;
  request.method_number = proto::method_number(head.method);
  request.version = head.version;
  request.framing = head.framing;
  request.content_length = head.content_length;
  request.keep_alive = head.keep_alive;
  request.expect_continue = head.expect_continue;
  request.offers_websocket = head.offers_websocket;
  request.referer = request.user_agent = request.accept = {};
  for (const HeadField& field : head.fields) {
    switch (field.name.size()) {
      case 6:
        if (equals_lower(field.name, "accept")) request.accept = field.value;
        break;
      case 7:
        if (equals_lower(field.name, "referer")) request.referer = field.value;
        break;
      case 10:
        if (equals_lower(field.name, "user-agent")) request.user_agent = field.value;
        break;
      default:
        break;
    }
  }
}

}  // namespace rowhouse::gateway
