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
// What is known of deaths, errors and events: no tenant can have this name either.
inline constexpr const char* kHistoryName = "_history";

class LogDirectory {
 public:
  // Directories of apps kept per tenant: a tenant may rename its apps for ever.  Beyond it, the one that was
  // written longest ago is removed.
  static constexpr std::size_t kMaxDirectoriesPerTenant = 128;

  explicit LogDirectory(UniqueFd root) : root_(std::move(root)) {}

  // The directory of one app's logs.
  [[nodiscard]] Result<UniqueFd> open_app(const AppName& name, Missing missing) const;
  // Where the stories and errors of a tenant's apps are kept, LOGS/_history/TENANT; with "" those of the host.
  [[nodiscard]] Result<UniqueFd> open_history(const std::string& tenant, Missing missing) const;
  // Removes the file that was written longest ago, never `newest`, when there are too many: of each app one.
  void limit_history(int tenant_fd, const std::string& newest) const;
  // Removes the logs of all apps of the tenant and what is known of them.
  void remove_tenant(const std::string& tenant) const;

 private:
  UniqueFd root_;
};

}  // namespace rowhouse::control
