// The log directory: LOGS/TENANT/APP/{app,access}.log with their rotated predecessors.  Everything is opened
// below the descriptor that the supervisor gave, one component at a time, never through a symbolic link.
//
// SECURITY: names are checked again here (is_name), so no name can leave the directory (test_log_files.cc).
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "control/registry.h"

namespace rowhouse::control {

enum class Missing { kCreate, kFail };

// Where requests without an app are logged: no tenant can have this name.
inline const AppName kGatewayLog{"_gateway", ""};

class LogDirectory {
 public:
  // Directories of apps kept per tenant: a tenant may rename its apps for ever.  Beyond it, the one that was
  // written longest ago is removed.
  static constexpr std::size_t kMaxDirectoriesPerTenant = 128;

  explicit LogDirectory(UniqueFd root) : root_(std::move(root)) {}

  // The directory of one app's logs.
  [[nodiscard]] Result<UniqueFd> open_app(const AppName& name, Missing missing) const;

 private:
  UniqueFd root_;
};

}  // namespace rowhouse::control
