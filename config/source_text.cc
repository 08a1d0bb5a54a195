#include "config/source_text.h"

#include "base/files.h"
#include "config/safe_open.h"
#include "proto/limits.h"

namespace rowhouse::config {

std::optional<std::string> read_source(int fd, Diagnostics& diagnostics) {
  if (!is_regular_file(fd)) {
    diagnostics.add({}, "the file is not a regular file");
    return std::nullopt;
  }
  Result<std::string> text = read_all(fd, proto::kMaxConfigurationBytes);
  if (text.ok()) return std::move(text).value();
  diagnostics.add({},
                  text.error().code == ErrorCode::kTooLarge
                      ? "the file is larger than " + std::to_string(proto::kMaxConfigurationBytes) + " bytes"
                      : "the file cannot be read: " + describe(text.error()));
  return std::nullopt;
}

std::optional<Node> read_tree(int fd, Diagnostics& diagnostics) {
  const std::optional<std::string> text = read_source(fd, diagnostics);
  return text ? parse_yaml(*text, diagnostics) : std::nullopt;
}

}  // namespace rowhouse::config
