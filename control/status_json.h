// Apps as the status call shows them.  Field names are part of the API: more may come, none changes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/inquiries.h"
#include "control/registry.h"

namespace rowhouse::control {

// One element of "apps".  `last_words` is the last line of the worker that ended last; empty when unknown.
// `suspension`: why it or its tenant is suspended; null: it is not.
[[nodiscard]] std::string app_json(const AppStatus& status, std::string_view last_words,
                                   const std::string* suspension);

// One element of "tenants".
[[nodiscard]] std::string tenant_json(const proto::TenantUsage& tenant);

// {"apps":[...],"tenants":[...],"errors":[...]} from the texts of the two above.
[[nodiscard]] std::string status_json(const std::vector<std::string>& apps,
                                      const std::vector<std::string>& tenants,
                                      const std::vector<Problem>& problems);

}  // namespace rowhouse::control
