// Paths in configuration files.  Pure: nothing here asks the file system.
#pragma once

#include <string>
#include <string_view>

#include "config/parsed.h"
#include "proto/worker_part.h"

namespace rowhouse::config {

// An absolute path in one form: no "." or empty components, no slash at its end.  ".." and "/" are refused.
[[nodiscard]] Parsed<std::string> parse_absolute_path(std::string_view text);

// A path below some directory in one form; "." for the directory itself.  ".." and absolute paths are
// refused.
[[nodiscard]] Parsed<std::string> parse_relative_path(std::string_view text);

// What `wsgi:` names.  `module` is a script's relative path when the kind is kScript.
struct Callable {
  proto::CallableKind kind = proto::CallableKind::kModule;
  std::string module;
  std::string attribute;
};

// "package.module:name" with dotted names on both sides, or a relative path that ends with .wsgi or .py.
[[nodiscard]] Parsed<Callable> parse_callable(std::string_view text);

}  // namespace rowhouse::config
