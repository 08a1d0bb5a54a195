// Why the gateway answers a request itself.
#pragma once

#include <cstdint>

#include "gateway/static_files.h"  // AfterAnswer
#include "proto/causes.h"

namespace rowhouse::gateway {

struct Refusal {
  std::uint16_t status = 500;
  proto::Cause cause = proto::Cause::kNone;
  std::uint32_t retry_after_s = 0;  // 0: say nothing
  AfterAnswer after = AfterAnswer::kKeepAlive;
};

}  // namespace rowhouse::gateway
