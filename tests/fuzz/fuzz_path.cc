// The normal form of a path: nothing in it is special any more, and it is its own normal form.
#include <cstddef>
#include <cstdint>
#include <string>

#include "gateway/path.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {
namespace {

// Every byte escaped, but for the first slash and, if asked, the others.
enum class Slashes : std::uint8_t { kPlain, kEscaped };

std::string escape(std::string_view path, Slashes slashes) {
  std::string out = "/";
  for (const char byte : path.substr(1)) {
    if (byte == '/' && slashes == Slashes::kPlain) {
      out += byte;
      continue;
    }
    const auto value = static_cast<unsigned char>(byte);
    out += '%';
    out += "0123456789abcdef"[value >> 4];
    out += "0123456789ABCDEF"[value & 0xf];
  }
  return out;
}

void check_segments(std::string_view path) {
  require(path.find('\0') == std::string_view::npos, "a normal form has no NUL");
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    require(segment != "." && segment != "..", "a normal form has no dot segment");
    path.remove_prefix(segment.size());
  }
}

void try_path(std::string_view raw) {
  std::string normal;
  if (!normalise_path(raw, normal).ok()) return;
  require(!normal.empty() && normal.front() == '/', "a normal form begins with a slash");
  require(normal.size() <= raw.size(), "a normal form is not longer than what was sent");
  check_segments(normal);
  for (const Slashes slashes : {Slashes::kPlain, Slashes::kEscaped}) {
    std::string again;
    require(normalise_path(escape(normal, slashes), again).ok() && again == normal,
            "a normal form is its own");
  }
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowhouse::gateway::try_path({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
