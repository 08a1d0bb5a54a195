// `rowhouse-loader --check`: reads configuration files for people and prints every sentence about them.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "config/users.h"
#include "config/yaml_tree.h"

namespace rowhouse::config {

enum class FileKind : std::uint8_t { kAuto, kHost, kTenant, kManifest };

struct CheckOptions {
  FileKind kind = FileKind::kAuto;
  std::string home;  // of a manifest: also compare it with the files below; empty: do not
  std::vector<std::string> files;
};

// Nothing when the arguments (without the program's name and "--check") are no usage of ours.
[[nodiscard]] std::optional<CheckOptions> parse_check_options(const std::vector<std::string_view>& arguments);

// What kind of file the top-level keys make it: never kAuto.
[[nodiscard]] FileKind detect_kind(const Node& root);

// Prints the sentences to `out`.  Returns 0 when every file is good, 1 otherwise.
int run_check(const CheckOptions& options, const Users& users, std::ostream& out);

}  // namespace rowhouse::config
