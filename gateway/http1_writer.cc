#include "gateway/http1_writer.h"

#include <charconv>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool has_no_body(const Request& request, std::uint16_t status) {
  return request.is_head() || status == 204 || status == 304;
}

}  // namespace

ResponseFraming choose_framing(const Request& request, std::uint16_t status, const CheckedResponse& checked) {
  if (has_no_body(request, status)) return ResponseFraming::kNone;
  if (checked.has_length) return ResponseFraming::kLength;
  return request.version >= 11 ? ResponseFraming::kChunked : ResponseFraming::kClose;
}

void Http1Writer::append_number(std::uint64_t number, int base) {
  char digits[20];
  const auto result = std::to_chars(digits, digits + sizeof digits, number, base);
  out_.append(digits, result.ptr);
}

// A strong validator names bytes, and these become others (RFC 9110 8.8.3).
void Http1Writer::append_field(const proto::Field& field, Coding coding) {
  const bool weaken =
      coding != Coding::kIdentity && equals_lower(field.name, "etag") && field.value.starts_with('"');
  out_.append(field.name).append(": ").append(weaken ? "W/" : "").append(field.value).append(kLineEnd);
}

void Http1Writer::append_head(const proto::ResponseHead& head, const CheckedResponse& checked,
                              const Request& request, const HeadTerms& terms) {
  framing_ = choose_framing(request, head.status, checked);
  chunk_bytes_ = 0;
  out_.append("HTTP/1.1 ");
  append_number(head.status, 10);
  out_.append(" ").append(head.reason.empty() ? standard_reason(head.status) : head.reason);
  out_.append("\r\nServer: Rowhouse\r\nDate: ").append(terms.date).append(kLineEnd);
  for (const proto::Field& field : head.fields) {
    if (is_dropped_response_field(field.name)) continue;
    append_field(field, terms.coding.coding);
  }
  if (terms.coding.varies) out_.append("Vary: Accept-Encoding\r\n");
  if (terms.coding.coding != Coding::kIdentity) {
    out_.append("Content-Encoding: ").append(terms.coding.coding == Coding::kGzip ? "gzip\r\n" : "br\r\n");
  }
  // To HEAD and in 304 it is the length that GET would have (RFC 9110 8.6); a 204 has none.
  if (checked.has_length && head.status != 204) {
    out_.append("Content-Length: ");
    append_number(checked.length, 10);
    out_.append(kLineEnd);
  }
  if (framing_ == ResponseFraming::kChunked) out_.append("Transfer-Encoding: chunked\r\n");
  if (terms.after == AfterAnswer::kClose) {
    out_.append("Connection: close\r\n");
  } else if (request.version == 10) {
    out_.append("Connection: keep-alive\r\n");
  }
  out_.append(kLineEnd);
}

void Http1Writer::append_tunnel_head(const proto::ResponseHead& head, std::string_view date) {
  framing_ = ResponseFraming::kClose;
  chunk_bytes_ = 0;
  out_.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  out_.append("Server: Rowhouse\r\nDate: ").append(date).append(kLineEnd);
  for (const proto::Field& field : head.fields) {
    if (is_dropped_response_field(field.name)) continue;
    out_.append(field.name).append(": ").append(field.value).append(kLineEnd);
  }
  out_.append(kLineEnd);
}

void Http1Writer::append_data(std::string_view bytes) {
  if (bytes.empty()) return;
  if (framing_ != ResponseFraming::kChunked) {
    out_.append(bytes);
    return;
  }
  append_chunk(bytes);
}

void Http1Writer::append_chunk(std::string_view bytes) {
  const std::size_t size = chunk_bytes_ + bytes.size();
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, size, 16).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  if (chunk_bytes_ == 0) {
    chunk_at_ = out_.size();
    out_.append(digits, count).append(kLineEnd);
  } else {
    out_.resize(out_.size() - kLineEnd.size());
    out_.replace(chunk_at_, chunk_digits_, digits, count);
  }
  out_.append(bytes).append(kLineEnd);
  chunk_digits_ = count;
  chunk_bytes_ = size;
}

void Http1Writer::append_end() {
  if (framing_ == ResponseFraming::kChunked) out_.append("0\r\n\r\n");
  chunk_bytes_ = 0;
}

}  // namespace rowhouse::gateway
