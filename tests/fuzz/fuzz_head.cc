// Request heads: the verdict does not depend on how the bytes arrive, and what our rules accept llhttp in
// strict mode accepts too, with the same method, target, fields and framing.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "gateway/head_rules.h"
#include "gateway/path.h"
#include "tests/fuzz/llhttp_twin.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {
namespace {

using Room = std::array<HeadField, proto::kMaxFields>;

constexpr std::size_t kByteByByteBytes = 256;

void check_accepted(std::string_view block, const CheckedHead& head) {
  const char* difference = difference_to_llhttp(block, head);
  require(difference == nullptr, difference);
  std::string host;
  require(head.authority.empty() ? head.version == 10 : host_of_authority(head.authority, host),
          "an accepted authority has a host");
  require(host.find_first_of("/@ ,\\\r\n") == std::string::npos, "a host is a name");
  std::string path;
  if (!head.asterisk) static_cast<void>(normalise_path(head.path, path).ok());
}

struct Verdict {
  int status = 0;        // of a refusal; 0: none
  std::size_t size = 0;  // of the block; 0: more is needed
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// The input arrives in pieces of `piece` bytes.
Verdict collect(std::string_view input, std::size_t piece) {
  for (std::size_t arrived = 0; arrived < input.size();) {
    const std::size_t checked = arrived;
    arrived = std::min(arrived + piece, input.size());
    const auto found = find_head_end(input.substr(0, arrived), checked);
    if (const auto* refusal = std::get_if<HeadRefusal>(&found)) return {refusal->status, 0};
    if (const std::size_t size = std::get<std::size_t>(found); size != 0) return {0, size};
  }
  return {};
}

void try_head(std::string_view input) {
  Room room;
  const auto checked = check_head(input, room);
  const auto* head = std::get_if<CheckedHead>(&checked);
  if (head != nullptr) check_accepted(input, *head);

  const Verdict whole = collect(input, input.size());
  // Byte by byte only where that is quick: a thousand short heads find more than one long one.
  const std::size_t shortest = input.size() <= kByteByByteBytes ? 1 : 13;
  for (const std::size_t piece : {shortest, std::size_t{127}}) {
    require(collect(input, piece) == whole, "splits change nothing");
  }
  const bool within_caps = input.size() < kMaxRequestLineBytes;
  require(head == nullptr || !within_caps || whole.size == input.size(), "the block is whole");
  if (whole.size != 0) static_cast<void>(check_head(input.substr(0, whole.size), room));
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowhouse::gateway::try_head({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
