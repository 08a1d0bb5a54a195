#include "gateway/conditions.h"

#include <algorithm>
#include <limits>

#include "gateway/http_bytes.h"
#include "gateway/http_date.h"

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kWeakMark = "W/";
constexpr std::string_view kBytesUnit = "bytes=";

// The fields of a head that are conditions; of a name that came twice, the first.
const HeadField* find_field(std::span<const HeadField> fields, std::string_view lower_name) {
  const auto has_name = [lower_name](const HeadField& field) { return equals_lower(field.name, lower_name); };
  const auto found = std::find_if(fields.begin(), fields.end(), has_name);
  return found == fields.end() ? nullptr : &*found;
}

enum class Comparison : std::uint8_t { kStrong, kWeak };  // RFC 9110 8.8.3.2; our own tag is strong

bool is_etag(std::string_view candidate, std::string_view etag, Comparison comparison) {
  if (comparison == Comparison::kWeak && candidate.starts_with(kWeakMark)) {
    candidate.remove_prefix(kWeakMark.size());
  }
  return candidate == etag;
}

enum class TagMatch : std::uint8_t { kAbsent, kMatches, kDiffers };

TagMatch match_tags(std::span<const HeadField> fields, std::string_view lower_name, std::string_view etag,
                    Comparison comparison) {
  TagMatch match = TagMatch::kAbsent;
  for (const HeadField& field : fields) {
    if (!equals_lower(field.name, lower_name)) continue;
    if (match == TagMatch::kAbsent) match = TagMatch::kDiffers;
    for_each_element(field.value, [&](std::string_view tag) {
      if (tag == "*" || is_etag(tag, etag, comparison)) match = TagMatch::kMatches;
    });
  }
  return match;
}

std::optional<std::int64_t> date_of(std::span<const HeadField> fields, std::string_view lower_name,
                                    std::int64_t now_s) {
  const HeadField* field = find_field(fields, lower_name);
  return field == nullptr ? std::nullopt : parse_http_date(field->value, now_s);
}

// A number of any length, as far as it counts here.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::uint64_t value = 0;
  for (const char digit : text) {
    if (!is_digit(digit)) return std::nullopt;
    const auto next = static_cast<std::uint64_t>(digit - '0');
    value = value > (kMost - next) / 10 ? kMost : value * 10 + next;
  }
  return text.empty() ? std::nullopt : std::optional(value);
}

// RFC 9110 13.1.5: only strong comparison counts; a date is strong when the file was not written in the
// second before.
bool is_of_same_representation(std::string_view if_range, const Validators& now) {
  if (if_range.starts_with('"')) return if_range == now.etag;
  const auto date = parse_http_date(if_range, now.now_s);
  return date && *date == now.modified_s && now.modified_s + 1 < now.now_s;
}

}  // namespace

Condition evaluate_conditions(std::span<const HeadField> fields, const Validators& now) {
  const TagMatch match = match_tags(fields, "if-match", now.etag, Comparison::kStrong);
  if (match == TagMatch::kDiffers) return Condition::kFailed;
  if (match == TagMatch::kAbsent) {
    const auto date = date_of(fields, "if-unmodified-since", now.now_s);
    if (date && now.modified_s > *date) return Condition::kFailed;
  }
  const TagMatch none_match = match_tags(fields, "if-none-match", now.etag, Comparison::kWeak);
  if (none_match == TagMatch::kMatches) return Condition::kNotModified;
  if (none_match == TagMatch::kDiffers) return Condition::kSend;
  const auto date = date_of(fields, "if-modified-since", now.now_s);
  return date && now.modified_s <= *date ? Condition::kNotModified : Condition::kSend;
}

std::variant<Whole, ByteRange, Unsatisfiable> parse_range(std::string_view text, std::uint64_t size) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Whole{};
  const std::string_view first_text = text.substr(0, dash);
  const std::string_view last_text = text.substr(dash + 1);
  const auto first = parse_position(first_text);
  const auto last = parse_position(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return Whole{};
  if (!first) {
    const std::uint64_t length = std::min(*last, size);
    if (length == 0) return Unsatisfiable{};
    return ByteRange{size - length, length};
  }
  if (last && *last < *first) return Whole{};
  if (*first >= size) return Unsatisfiable{};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1};
}

std::variant<Whole, ByteRanges, Unsatisfiable> parse_ranges(std::string_view text, std::uint64_t size) {
  ByteRanges ranges;
  std::uint64_t total = 0;
  std::size_t named = 0;
  bool malformed = false;
  for_each_element(text, [&](std::string_view spec) {
    if (malformed || ++named > kMaxRanges) return;
    const auto range = parse_range(spec, size);
    malformed = std::holds_alternative<Whole>(range);
    const auto* part = std::get_if<ByteRange>(&range);
    if (part == nullptr) return;
    ranges.parts[ranges.count++] = *part;
    total += part->length;
  });
  if (malformed || named > kMaxRanges || total > size) return Whole{};
  if (ranges.count == 0) return Unsatisfiable{};
  return ranges;
}

std::variant<Whole, ByteRanges, Unsatisfiable> select_ranges(std::span<const HeadField> fields,
                                                             const Validators& now) {
  const HeadField* range = find_field(fields, "range");
  if (range == nullptr) return Whole{};
  if (!equals_lower(range->value.substr(0, kBytesUnit.size()), kBytesUnit)) return Whole{};
  const HeadField* if_range = find_field(fields, "if-range");
  if (if_range != nullptr && !is_of_same_representation(if_range->value, now)) return Whole{};
  return parse_ranges(trim_blanks(range->value.substr(kBytesUnit.size())), now.size);
}

}  // namespace rowhouse::gateway
