#include "config/source_text.h"

#include "base/files.h"
#include "config/safe_open.h"
#include "proto/limits.h"

namespace rowhouse::config {

std::optional<Node> read_tree(int fd, Diagnostics& diagnostics) {
  if (!is_regular_file(fd)) {
    diagnostics.add({}, "the file is not a regular file");
    return std::nullopt;
  }
  const Result<std::string> text = read_all(fd, proto::kMaxConfigurationBytes);
  if (text.ok()) return parse_yaml(text.value(), diagnostics);
  diagnostics.add({},
                  text.error().code == ErrorCode::kTooLarge
                      ? "the file is larger than " + std::to_string(proto::kMaxConfigurationBytes) + " bytes"
                      : "the file cannot be read: " + describe(text.error()));
  return std::nullopt;
}

}  // namespace rowhouse::config
