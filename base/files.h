// Small whole files and sealed memory files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse {

// Reads from the descriptor's offset to its end.  kTooLarge when there are more than `cap_bytes`.
Result<std::string> read_all(int fd, std::size_t cap_bytes);

// Reads the file `name` below the directory `directory_fd` (or an absolute name with AT_FDCWD).
// For kernel files and files of root only; never follows a symbolic link in the last component.
Result<std::string> read_file(int directory_fd, const char* name, std::size_t cap_bytes);

// Writes `text` with one write(2) to an existing file below `directory_fd`: how kernel files are set.
Status write_kernel_file(int directory_fd, const char* name, std::string_view text);

// Writes all bytes, retrying short writes.
Status write_all(int fd, std::string_view bytes);

// Replaces `name` below `directory_fd` so that a crash leaves the old or the new content, never a mixture:
// temporary file, fsync, rename, fsync of the directory.
Status replace_file(int directory_fd, const std::string& name, std::string_view content, unsigned mode);

// A memory file with `bytes`, sealed against every change, and opened at offset 0.  For data that passes
// through a process that must not read it.
Result<UniqueFd> create_sealed_memory(const char* name, ByteSpan bytes);

// The content of a sealed memory file.  kInvalid when it is not sealed against writing and shrinking (a peer
// could change it while we read), kTooLarge beyond `cap_bytes`.
Result<std::string> read_sealed_memory(int fd, std::size_t cap_bytes);

}  // namespace rowhouse
