// Landlock's file rights and what the sandbox grants of them, by ABI.
#pragma once

#include <cstdint>

namespace rowhouse::jail {

// The kernel's LANDLOCK_ACCESS_FS_...
enum FileRight : std::uint64_t {
  kExecute = 1 << 0,
  kWriteFile = 1 << 1,
  kReadFile = 1 << 2,
  kReadDirectory = 1 << 3,
  kRemoveDirectory = 1 << 4,
  kRemoveFile = 1 << 5,
  kMakeCharacterDevice = 1 << 6,
  kMakeDirectory = 1 << 7,
  kMakeFile = 1 << 8,
  kMakeSocket = 1 << 9,
  kMakeFifo = 1 << 10,
  kMakeBlockDevice = 1 << 11,
  kMakeLink = 1 << 12,
  kRefer = 1 << 13,        // ABI 2
  kTruncate = 1 << 14,     // ABI 3
  kDeviceIoctl = 1 << 15,  // ABI 5
};

inline constexpr std::uint64_t kFileOnlyRights = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;
inline constexpr std::uint64_t kListRights = kReadDirectory;
inline constexpr std::uint64_t kReadRights = kExecute | kReadFile | kReadDirectory;
inline constexpr std::uint64_t kDeviceRights = kReadFile | kWriteFile | kTruncate | kDeviceIoctl;
// Everything but devices.
inline constexpr std::uint64_t kWriteRights = kReadRights | kWriteFile | kRemoveDirectory | kRemoveFile |
                                              kMakeDirectory | kMakeFile | kMakeSocket | kMakeFifo |
                                              kMakeLink | kRefer | kTruncate;

// The file rights that a kernel of this ABI can hold back.  REQUIRES: abi >= 1.
[[nodiscard]] constexpr std::uint64_t handled_rights(int abi) {
  std::uint64_t rights = (kMakeLink << 1) - 1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kDeviceIoctl;
  return rights;
}

}  // namespace rowhouse::jail
