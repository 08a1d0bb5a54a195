// One line of access.log as JSON (access_line.h).
#pragma once

#include <string>
#include <string_view>

#include "proto/access_record.h"

namespace rowhouse::control {

// How such a line begins; the time follows.
inline constexpr std::string_view kAccessJsonStart = "{\"time\":\"";

// Without a line end, in ASCII.  Texts are bytes: one that is not printable is \u00NN.
[[nodiscard]] std::string format_access_json(const proto::AccessRecord& record);

}  // namespace rowhouse::control
