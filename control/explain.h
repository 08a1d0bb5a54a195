// The story that `rowhouse explain` tells, put together from facts.  Pure.
#pragma once

#include <string>
#include <vector>

#include "control/inquiries.h"
#include "control/stories.h"

namespace rowhouse::control {

struct ExplainFacts {
  AppName app;
  const AppStatus* status = nullptr;  // null: the supervisor knows no such app (any more)
  AppHistory history;
  std::vector<const std::string*> events;  // JSON texts, oldest first
  std::vector<Problem> problems;
  const std::string* suspension = nullptr;  // why it or its tenant is suspended; null: it is not
};

// `deaths`: how many at most.
[[nodiscard]] Json explain_app(const ExplainFacts& facts, std::size_t deaths);

// `error` as the index has it; `death` may be null.
[[nodiscard]] Json explain_error(Json error, const AppName& app, Json death);

}  // namespace rowhouse::control
