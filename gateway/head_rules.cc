#include "gateway/head_rules.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

using Refusal = std::optional<HeadRefusal>;

HeadRefusal refuse(const char* reason) { return {400, proto::Cause::kBadRequest, reason}; }

// Fields that decide something here, or that may appear only once.  The number is a bit of what was seen.
enum Known : std::uint8_t {
  kHost,
  kContentLength,
  kTransferEncoding,
  kExpect,
  kConnection = 16,  // from here on repetition is allowed
  kUpgrade,
  kOther,
};
constexpr std::array<std::string_view, kOther> kKnownNames = {"host",
                                                              "content-length",
                                                              "transfer-encoding",
                                                              "expect",
                                                              "authorization",
                                                              "content-type",
                                                              "from",
                                                              "if-modified-since",
                                                              "if-range",
                                                              "if-unmodified-since",
                                                              "max-forwards",
                                                              "origin",
                                                              "proxy-authorization",
                                                              "range",
                                                              "referer",
                                                              "user-agent",
                                                              "connection",
                                                              "upgrade"};
static_assert(kKnownNames[kConnection] == "connection" && kKnownNames[kUpgrade] == "upgrade");

// For each length of a name, a bit for each known name of that length.
constexpr auto kKnownOfLength = [] {
  std::array<std::uint32_t, 20> table{};
  for (std::size_t i = 0; i < kKnownNames.size(); ++i) table[kKnownNames[i].size()] |= 1U << i;
  return table;
}();

Known known_field(std::string_view name) {
  if (name.size() >= kKnownOfLength.size()) return kOther;
  for (std::uint32_t left = kKnownOfLength[name.size()]; left != 0; left &= left - 1) {
    const auto candidate = static_cast<std::size_t>(std::countr_zero(left));
    if (equals_lower(name, kKnownNames[candidate])) return static_cast<Known>(candidate);
  }
  return kOther;
}

// True when `name` is `dashed` with "_" in place of a "-".
bool is_underscore_twin(std::string_view name, std::string_view dashed) {
  const auto is_same = [](char x, char y) { return (x == '_' ? '-' : to_lower(x)) == y; };
  return name.size() == dashed.size() && name.find('_') != std::string_view::npos &&
         std::equal(name.begin(), name.end(), dashed.begin(), is_same);
}

// True when HTAB is among the blanks at the end.  RFC 9110 5.6.3 allows it, but llhttp and others do not take
// it behind a Content-Length or a Transfer-Encoding.
bool ends_with_tab(std::string_view raw_value) {
  const std::size_t blanks = raw_value.find_last_not_of(" \t") + 1;
  return raw_value.substr(blanks).find('\t') != std::string_view::npos;
}

// One head, field by field; then what the fields mean together.
class HeadChecker {
 public:
  HeadChecker(const RequestLine& line, std::span<HeadField> room) : line_(line), room_(room) {}

  // `rest` begins with a field line; what belongs to it is taken off.
  Refusal take_field(std::string_view& rest) {
    const std::size_t name_bytes = count_leading(kTokenBytes, rest);
    if (name_bytes == 0) return refuse("field name missing, or folded line");
    if (name_bytes == rest.size() || rest[name_bytes] != ':') return refuse("forbidden byte in a field name");
    const std::string_view name = rest.substr(0, name_bytes);
    rest.remove_prefix(name_bytes + 1);
    const std::size_t value_bytes = count_value_bytes(rest);
    const std::string_view raw_value = rest.substr(0, value_bytes);
    rest.remove_prefix(value_bytes);
    if (!rest.starts_with("\r\n")) return refuse("forbidden byte in a field value");
    rest.remove_prefix(2);
    if (count_ == room_.size()) return HeadRefusal{431, proto::Cause::kTooLarge, "too many fields"};
    room_[count_++] = {name, trim_blanks(raw_value)};
    return note_field(name, raw_value);
  }

  [[nodiscard]] std::variant<CheckedHead, HeadRefusal> finish() const {
    CheckedHead head;
    head.method = line_.method;
    head.target = line_.target;
    head.path = line_.path;
    head.query = line_.query;
    head.version = line_.version;
    head.asterisk = line_.asterisk;
    head.fields = room_.first(count_);
    if (const auto refusal = settle_authority(head)) return *refusal;
    if (const auto refusal = settle_framing(head)) return *refusal;
    const bool has_body = head.framing == BodyFraming::kChunked || head.content_length != 0;
    if (upgrade_websocket_ && has_body) return refuse("Upgrade to websocket with a body");
    head.expect_continue = seen(kExpect) && has_body && head.version == 11;
    head.keep_alive = !close_ && (head.version == 11 || keep_alive_);
    head.offers_websocket =
        upgrade_websocket_ && connection_upgrade_ && head.version == 11 && head.method == "GET";
    return head;
  }

 private:
  [[nodiscard]] bool seen(Known field) const { return (seen_ & (1U << field)) != 0; }

  Refusal note_field(std::string_view name, std::string_view raw_value) {
    const std::string_view value = trim_blanks(raw_value);
    const Known known = known_field(name);
    if (known < kConnection && seen(known)) return refuse("field that may appear only once");
    seen_ |= 1U << known;
    const bool frames = known == kContentLength || known == kTransferEncoding;
    if (frames && ends_with_tab(raw_value)) return refuse("tab behind a framing field");
    if (known == kHost) host_ = value;
    if (known == kContentLength) return note_length(value);
    if (known == kTransferEncoding) transfer_refusal_ = check_transfer_encoding(value);
    if (known == kExpect && !equals_lower(value, "100-continue")) {
      return HeadRefusal{417, proto::Cause::kBadRequest, "unknown expectation"};
    }
    if (known == kConnection) note_connection(value);
    if (known == kUpgrade) note_upgrade(value);
    if (known == kOther) {
      length_twin_ = length_twin_ || is_underscore_twin(name, kKnownNames[kContentLength]);
      transfer_twin_ = transfer_twin_ || is_underscore_twin(name, kKnownNames[kTransferEncoding]);
    }
    return std::nullopt;
  }

  Refusal note_length(std::string_view value) {
    const auto length = parse_content_length(value);
    if (!length) return refuse("malformed Content-Length");
    length_ = *length;
    return std::nullopt;
  }

  // RFC 9112 6.1: `chunked` alone is what we take.  Other codings in front of it, or alone, are unknown;
  // after it the end of the body could not be told.
  static Refusal check_transfer_encoding(std::string_view value) {
    bool malformed = false;
    bool unknown = false;
    bool chunked = false;
    for_each_element(value, [&](std::string_view coding) {
      malformed = malformed || chunked || !is_token(coding);
      chunked = chunked || equals_lower(coding, "chunked");
      unknown = unknown || !equals_lower(coding, "chunked");
    });
    if (malformed) return refuse("malformed Transfer-Encoding");
    if (unknown) return HeadRefusal{501, proto::Cause::kBadRequest, "unknown transfer coding"};
    return std::nullopt;
  }

  void note_connection(std::string_view value) {
    for_each_element(value, [this](std::string_view option) {
      close_ = close_ || equals_lower(option, "close");
      connection_upgrade_ = connection_upgrade_ || equals_lower(option, "upgrade");
      keep_alive_ = keep_alive_ || equals_lower(option, "keep-alive");
    });
  }

  void note_upgrade(std::string_view value) {
    for_each_element(value, [this](std::string_view protocol) {
      const std::string_view name = trim_blanks(protocol.substr(0, protocol.find('/')));
      upgrade_websocket_ = upgrade_websocket_ || equals_lower(name, "websocket");
    });
  }

  Refusal settle_authority(CheckedHead& head) const {
    const bool absolute = !line_.authority.empty();
    head.authority = absolute ? line_.authority : host_;
    if (!seen(kHost)) return line_.version == 10 ? Refusal() : refuse("no Host");
    if (host_.empty() && absolute) return std::nullopt;
    const auto host = parse_authority(host_);
    if (!host) return refuse("malformed Host");
    if (absolute && !is_same_authority(*parse_authority(line_.authority), *host)) {
      return refuse("target and Host differ");
    }
    return std::nullopt;
  }

  // RFC 9112 6.3.
  Refusal settle_framing(CheckedHead& head) const {
    const bool has_length = seen(kContentLength);
    const bool has_coding = seen(kTransferEncoding);
    if (has_length && has_coding) return refuse("Content-Length with Transfer-Encoding");
    if (has_coding && line_.version == 10) return refuse("Transfer-Encoding in HTTP/1.0");
    if (has_length && length_twin_) return refuse("Content-Length with a twin");
    if (has_coding && transfer_twin_) return refuse("Transfer-Encoding with a twin");
    if (transfer_refusal_) return transfer_refusal_;
    if (has_coding) head.framing = BodyFraming::kChunked;
    if (has_length) head.framing = BodyFraming::kLength;
    head.content_length = length_;
    return std::nullopt;
  }

  const RequestLine& line_;
  std::span<HeadField> room_;
  std::size_t count_ = 0;
  std::uint32_t seen_ = 0;
  std::string_view host_;
  std::uint64_t length_ = 0;
  Refusal transfer_refusal_;
  bool length_twin_ = false;
  bool transfer_twin_ = false;
  bool close_ = false;
  bool keep_alive_ = false;
  bool upgrade_websocket_ = false;
  bool connection_upgrade_ = false;
};

constexpr std::array<std::string_view, 21> kDroppedNames = {
    // hop-by-hop (RFC 9110 7.6.1) and framing
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    "http2-settings", "proxy-authorization", "content-length",
    // the gateway's own to say or to answer
    "host", "expect",
    // becomes HTTP_PROXY (CVE-2016-5385)
    "proxy",
    // what only a trusted proxy may say; "x-forwarded-" is dropped as a whole
    "forwarded", "x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-scheme", "x-https",
    "x-script-name"};

}  // namespace

std::variant<CheckedHead, HeadRefusal> check_head(std::string_view block, std::span<HeadField> room) {
  if (block.starts_with("\r\n")) block.remove_prefix(2);
  const std::size_t line_end = block.find("\r\n");
  if (line_end == std::string_view::npos) return refuse("incomplete head");
  const auto parsed = parse_request_line(block.substr(0, line_end));
  if (const auto* refusal = std::get_if<HeadRefusal>(&parsed)) return *refusal;
  HeadChecker checker(std::get<RequestLine>(parsed), room);
  std::string_view rest = block.substr(line_end + 2);
  while (!rest.starts_with("\r\n")) {
    if (const auto refusal = checker.take_field(rest)) return *refusal;
  }
  if (rest.size() != 2) return refuse("bytes after the head");
  return checker.finish();
}

bool is_dropped_request_field(std::string_view lower_name) {
  return lower_name.find('_') != std::string_view::npos || lower_name.starts_with("x-forwarded-") ||
         std::find(kDroppedNames.begin(), kDroppedNames.end(), lower_name) != kDroppedNames.end();
}

}  // namespace rowhouse::gateway
