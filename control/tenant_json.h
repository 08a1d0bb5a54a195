// Tenants as the API takes and shows them.  Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/answer.h"
#include "control/json_strict.h"
#include "control/tenant_inquiries.h"

namespace rowhouse::control {

// The body of PUT and PATCH of a tenant as a draft, or what is wrong with its form.  What the fields mean is checked by
// the supervisor.
[[nodiscard]] std::variant<TenantDraftText, JsonProblem> parse_tenant_body(const nlohmann::json& body,
                                                                           const std::string& tenant,
                                                                           proto::TenantWriteMode mode);

// With `domains` where they were asked for, else with their number alone.
enum class DomainsShown : std::uint8_t { kAll, kCount };
[[nodiscard]] nlohmann::ordered_json tenant_detail_json(const TenantFound& found, DomainsShown shown);

// A refused order as an answer: the sentence, and a pointer to the field where it is known.
[[nodiscard]] ErrorText refusal_of(const TenantOrderFound& found, const std::string& tenant);

}  // namespace rowhouse::control
