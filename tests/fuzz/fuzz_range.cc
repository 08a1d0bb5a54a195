// Range: every part lies in the file, all together are no more than the file, and there are few of them.  The
// first two bytes are the size of the file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/conditions.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {
namespace {

void try_ranges(std::string_view text, std::uint64_t size) {
  const auto parsed = parse_ranges(text, size);
  const auto* ranges = std::get_if<ByteRanges>(&parsed);
  if (ranges == nullptr) return;
  require(ranges->count >= 1 && ranges->count <= kMaxRanges, "a few parts");
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < ranges->count; ++i) {
    const ByteRange& part = ranges->parts[i];
    require(part.length >= 1 && part.first < size && part.length <= size - part.first,
            "a part lies in the file");
    total += part.length;
  }
  require(total <= size, "all parts are no more than the file");
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const auto file_size = static_cast<std::uint64_t>(bytes[0] | bytes[1] << 8);
  rowhouse::gateway::try_ranges({reinterpret_cast<const char*>(bytes) + 2, size - 2}, file_size);
  return 0;
}
