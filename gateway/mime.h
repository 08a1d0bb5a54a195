// Content types by file name extension: the system's table, read once at start, over a small one of our own.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/result.h"

namespace rowhouse::gateway {

class MimeTypes {
 public:
  // The built-in table only.
  MimeTypes();

  // Reads a table in the format of /etc/mime.types ("type extension...") over what is known.  On an error,
  // which may be logged and ignored, nothing has changed.  Lines that cannot be right are passed over.
  Status read(const char* path);
  void add_table(std::string_view text);

  // "text/css; charset=utf-8"; text types are declared as UTF-8.  "application/octet-stream" for an unknown
  // extension.  Borrowed from this table, which must not change meanwhile.
  [[nodiscard]] std::string_view of_file(std::string_view file_name) const;

 private:
  void add_line(std::string_view line);

  std::unordered_map<std::string, std::string, KeyedTextHash, std::equal_to<>> types_;
};

}  // namespace rowhouse::gateway
