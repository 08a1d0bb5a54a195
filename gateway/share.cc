#include "gateway/share.h"

#include <sys/mman.h>
#include <sys/stat.h>

namespace rowhouse::gateway {

ShareTable::~ShareTable() {
  if (table_ != nullptr) ::munmap(table_, sizeof *table_);
}

Status ShareTable::map(int fd, std::uint32_t own, std::uint32_t count) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error("fstat shared table");
  if (count == 0 || count > proto::kMaxGateways || own >= count) {
    return make_error(ErrorCode::kInvalid, "column of the shared table");
  }
  if (status.st_size < static_cast<off_t>(sizeof(proto::SharedTable))) {
    return make_error(ErrorCode::kInvalid, "size of the shared table");
  }
  void* memory = ::mmap(nullptr, sizeof(proto::SharedTable), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return system_error("mmap shared table");
  table_ = static_cast<proto::SharedTable*>(memory);
  own_ = own;
  count_ = count;
  return {};
}

}  // namespace rowhouse::gateway
