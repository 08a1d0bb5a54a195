// PROXY headers: the verdict does not depend on how they arrive, and what was taken is there.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/proxy_header.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {
namespace {

void try_header(std::string_view input) {
  const auto whole = parse_proxy_header(input);
  const auto* header = std::get_if<ProxyHeader>(&whole);
  if (header != nullptr) {
    require(header->bytes > 0 && header->bytes <= input.size(), "a header is a part of the input");
    require(header->bytes <= kMaxProxyHeaderBytes, "a header has a cap");
    const auto alone = parse_proxy_header(input.substr(0, header->bytes));
    const auto* same = std::get_if<ProxyHeader>(&alone);
    require(same != nullptr && same->client == header->client && same->port == header->port,
            "what follows does not count");
  }
  for (std::size_t size = 0; size < input.size(); ++size) {
    const auto part = parse_proxy_header(input.substr(0, size));
    if (std::holds_alternative<ProxyHeaderIncomplete>(part)) continue;
    require(part.index() == whole.index(), "a verdict that came early stays");
  }
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 4096) return 0;
  rowhouse::gateway::try_header({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
