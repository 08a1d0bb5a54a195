// What to do about a death or a refused request, by its cause.  One sentence or two; empty when there is nothing to do.
#pragma once

#include <string>
#include <string_view>

#include "control/registry.h"
#include "proto/causes.h"

namespace rowhouse::control {

// `exception` is the last line of the traceback, or "".
[[nodiscard]] std::string advice_for(proto::Cause cause, const AppName& app, std::string_view step,
                                     std::string_view exception);

}  // namespace rowhouse::control
