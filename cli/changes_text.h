// What an order has changed, in words.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace rowhouse::cli {

// The `changes` and `tenants` of an answer, one a line; "" where there is none.
[[nodiscard]] std::string render_changes(const nlohmann::json& answer);

}  // namespace rowhouse::cli
