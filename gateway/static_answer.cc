#include "gateway/static_answer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/conditions.h"
#include "gateway/http_date.h"
#include "gateway/response_rules.h"

namespace rowhouse::gateway {
namespace {

// Of the parts of several ranges.  It may stand in a file: whoever asks for parts knows their lengths.
constexpr std::string_view kBoundary = "rowhouse-part-6f1c94d2";

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

void append_range_of(std::string& out, std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  out.append("Content-Range: bytes ");
  append_number(out, offset);
  out.append("-");
  append_number(out, offset + length - 1);
  out.append("/");
  append_number(out, size);
  out.append("\r\n");
}

StaticPlan plan_parts(const ByteRanges& ranges, const StaticFile& file) {
  StaticPlan plan{206, 0, 0, {}, {}};
  for (std::size_t i = 0; i < ranges.count; ++i) {
    FilePart part{{}, ranges.parts[i].first, ranges.parts[i].length};
    part.before.append("\r\n--").append(kBoundary).append("\r\nContent-Type: ").append(file.content_type);
    part.before.append("\r\n");
    append_range_of(part.before, part.offset, part.length, file.size);
    part.before.append("\r\n");
    plan.more.push_back(std::move(part));
  }
  plan.after.append("\r\n--").append(kBoundary).append("--\r\n");
  return plan;
}

StaticPlan make_plan(const StaticFile& file, const CheckedHead& head, const Validators& now) {
  switch (evaluate_conditions(head.fields, now)) {
    case Condition::kNotModified: return {304, 0, 0, {}, {}};
    case Condition::kFailed: return {412, 0, 0, {}, {}};
    case Condition::kSend: break;
  }
  if (head.method != "GET") return {200, 0, 0, {}, {}};
  const auto selected = select_ranges(head.fields, now);
  if (std::holds_alternative<Unsatisfiable>(selected)) return {416, 0, 0, {}, {}};
  const auto* ranges = std::get_if<ByteRanges>(&selected);
  if (ranges == nullptr) return {200, 0, file.size, {}, {}};
  if (ranges->count > 1) return plan_parts(*ranges, file);
  return {206, ranges->parts[0].first, ranges->parts[0].length, {}, {}};
}

// The fields that describe what is sent; a 304 has neither length nor type.
void append_content_fields(std::string& out, const StaticPlan& plan, const StaticFile& file) {
  const bool several = !plan.more.empty();
  if (plan.status == 416) {
    out.append("Content-Range: bytes */");
    append_number(out, file.size);
    out.append("\r\n");
  } else if (plan.status == 206 && !several) {
    append_range_of(out, plan.offset, plan.length, file.size);
  }
  if (plan.status == 304) return;
  out.append("Content-Length: ");
  append_number(out, plan.status == 200 ? file.size : plan.body_bytes());
  out.append("\r\n");
  if (plan.status == 412 || plan.status == 416) return;
  if (several) {
    out.append("Content-Type: multipart/byteranges; boundary=").append(kBoundary).append("\r\n");
  } else {
    out.append("Content-Type: ").append(file.content_type).append("\r\n");
  }
  if (file.coding != Coding::kIdentity) {
    out.append("Content-Encoding: ").append(file.coding == Coding::kGzip ? "gzip" : "br").append("\r\n");
  }
  out.append("Accept-Ranges: bytes\r\n");
}

void append_connection(std::string& out, const CheckedHead& head, AfterAnswer after) {
  if (after == AfterAnswer::kClose) {
    out.append("Connection: close\r\n");
  } else if (head.version == 10) {
    out.append("Connection: keep-alive\r\n");
  }
}

}  // namespace

std::uint64_t StaticPlan::body_bytes() const {
  std::uint64_t bytes = length + after.size();
  for (const FilePart& part : more) bytes += part.before.size() + part.length;
  return bytes;
}

StaticPlan append_static_head(std::string& out, const StaticFile& file, const CheckedHead& head,
                              const StaticTerms& terms) {
  const std::int64_t now_s = parse_http_date(terms.date, 0).value_or(0);
  // RFC 9110 8.8.2.1: never a time to come.
  const Validators now{file.etag, std::min(file.modified_s, now_s), now_s, file.size};
  StaticPlan plan = make_plan(file, head, now);
  out.append("HTTP/1.1 ");
  append_number(out, plan.status);
  out.append(" ").append(standard_reason(plan.status)).append("\r\nDate: ").append(terms.date);
  out.append("\r\nServer: Rowhouse\r\n");
  append_content_fields(out, plan, file);
  if (plan.status != 412 && plan.status != 416) {
    out.append("Last-Modified: ");
    append_http_date(out, now.modified_s);
    out.append("\r\nETag: ").append(file.etag).append("\r\nX-Content-Type-Options: nosniff\r\n");
    if (file.varies) out.append("Vary: Accept-Encoding\r\n");
    if (!terms.cache_control.empty())
      out.append("Cache-Control: ").append(terms.cache_control).append("\r\n");
  }
  append_connection(out, head, terms.after);
  out.append("\r\n");
  return plan;
}

}  // namespace rowhouse::gateway
