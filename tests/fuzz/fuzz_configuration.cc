// The three schemas over the bounded YAML parse: whatever a file says, it ends in a result or in sentences.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/host_schema.h"
#include "config/manifest_schema.h"
#include "config/tenant_schema.h"
#include "proto/limits.h"
#include "tests/fuzz/require.h"

namespace rowhouse::config {
namespace {

// Knows everybody: names of users are not what is tried here.
class AnyUsers final : public Users {
 public:
  [[nodiscard]] Result<std::optional<User>> find_name(const std::string& name) const override {
    return std::optional(User{name, 2001, 2001, "/home/x"});
  }
  [[nodiscard]] Result<std::optional<User>> find_uid(std::uint32_t uid) const override {
    return std::optional(User{"x", uid, uid, "/home/x"});
  }
  [[nodiscard]] Result<std::optional<Group>> find_gid(std::uint32_t gid) const override {
    return std::optional(Group{"x", gid});
  }
  [[nodiscard]] Result<std::vector<Group>> privileged_groups() const override {
    return std::vector<Group>{{"root", 0}, {"docker", 990}};
  }
};

template <typename Read>
void try_schema(const Node& root, Read read) {
  Diagnostics diagnostics;
  read(root, diagnostics);
  const auto lines = diagnostics.lines("f");
  require(lines.size() <= kMaxSentences + 1, "sentences have a cap");
  for (const std::string& line : lines) require(line.find('\n') == std::string::npos, "a sentence is one line");
}

void try_text(std::string_view text) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(text, diagnostics);
  require(root.has_value() || !diagnostics.empty(), "a refusal has a sentence");
  if (!root) return;
  const AnyUsers users;
  try_schema(*root, [&](const Node& node, Diagnostics& found) { static_cast<void>(read_host_file(node, users, found)); });
  try_schema(*root, [&](const Node& node, Diagnostics& found) {
    static_cast<void>(read_tenant_file(node, "acme", users, found));
  });
  try_schema(*root, [&](const Node& node, Diagnostics& found) {
    for (const App& app : read_manifest(node, {"acme", "acme", "3.11"}, found)) {
      const auto part = proto::encode_worker_part(app.part);
      require(!found.empty() || part.ok(), "the worker part of a good manifest fits");
    }
  });
}

}  // namespace
}  // namespace rowhouse::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size <= rowhouse::proto::kMaxConfigurationBytes) {
    rowhouse::config::try_text({reinterpret_cast<const char*>(bytes), size});
  }
  return 0;
}
