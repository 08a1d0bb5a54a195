#include "gateway/encodings.h"

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

// False for "q=0", "q=0.0" ...; everything else, malformed weights too, is as good as a preference.
bool has_weight(std::string_view parameters) {
  const std::size_t equals = parameters.find('=');
  if (equals == std::string_view::npos || !equals_lower(trim_blanks(parameters.substr(0, equals)), "q"))
    return true;
  const std::string_view weight = trim_blanks(parameters.substr(equals + 1));
  return weight.empty() || weight.find_first_not_of("0.") != std::string_view::npos;
}

constexpr auto kTextLike = std::to_array<std::string_view>(
    {"application/javascript", "application/json", "application/manifest+json", "application/wasm",
     "application/xml", "image/svg+xml", "image/vnd.microsoft.icon"});

}  // namespace

Encodings accepted_encodings(std::span<const HeadField> fields) {
  std::optional<bool> gzip, brotli;
  bool others = false;
  for (const HeadField& field : fields) {
    if (!equals_lower(field.name, "accept-encoding")) continue;
    for_each_element(field.value, [&](std::string_view element) {
      const std::size_t end = element.find(';');
      const std::string_view coding = trim_blanks(element.substr(0, end));
      const bool taken = end == std::string_view::npos || has_weight(element.substr(end + 1));
      if (equals_lower(coding, "gzip") || equals_lower(coding, "x-gzip")) gzip = taken;
      if (equals_lower(coding, "br")) brotli = taken;
      if (coding == "*") others = taken;
    });
  }
  return {gzip.value_or(others), brotli.value_or(others)};
}

bool is_compressible(std::string_view content_type) {
  const std::string_view type = trim_blanks(content_type.substr(0, content_type.find(';')));
  const auto is_type = [type](std::string_view known) { return equals_lower(type, known); };
  return (type.size() > 5 && equals_lower(type.substr(0, 5), "text/")) ||
         (type.size() > 5 && equals_lower(type.substr(type.size() - 5), "+json")) ||
         (type.size() > 4 && equals_lower(type.substr(type.size() - 4), "+xml")) ||
         std::any_of(kTextLike.begin(), kTextLike.end(), is_type);
}

}  // namespace rowhouse::gateway
