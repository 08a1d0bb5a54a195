// The pipe that carries what a process of a tenant's writes to its log.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

struct LogPipeEnds {
  UniqueFd read_end, write_end;
};

// Belongs to the tenant, so that /dev/stdout can be opened; our end never blocks.
Result<LogPipeEnds> create_log_pipe(const TenantEntry& tenant);

}  // namespace rowhouse::supervisor
