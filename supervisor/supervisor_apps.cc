// Which apps there are, by which numbers they are known, and who has which route.
#include <algorithm>

#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {

App* Supervisor::find_app(std::uint32_t number) const {
  const auto shared = shared_.find(number);
  const auto found = apps_.find(shared == shared_.end() ? number : shared->second);
  return found == apps_.end() ? nullptr : found->second.get();
}

void Supervisor::create_app(const TenantEntry& tenant, AppSpec spec) {
  auto app = App::create(surroundings(), tenant, std::move(spec));
  if (!app.ok()) {
    return set_problem(tenant.name, problem_text(tenant.name + ": too many apps on this host"));
  }
  App& created = *app.value();
  add_app(std::move(app).value());
  created.begin();
}

void Supervisor::add_app(std::unique_ptr<App> app) {
  take_routes(*app, app->spec());
  for (const App::Identity& identity : app->identities()) {
    if (identity.number != app->number()) shared_[identity.number] = app->number();
  }
  apps_[app->number()] = std::move(app);
}

bool Supervisor::is_taken(const std::string& tenant, const AppSpec& spec) const {
  for (const AppFront* front : spec.fronts()) {
    const std::string_view name = front->settings.name.view();
    const bool taken = std::any_of(apps_.begin(), apps_.end(), [&](const auto& entry) {
      return entry.second->tenant().name == tenant && entry.second->is_known_as(name);
    });
    if (taken) return true;
  }
  return false;
}

// --- routes ---------------------------------------------------------------------------------------------

std::optional<std::string> Supervisor::find_route_conflict(const TenantEntry& tenant,
                                                           const AppSpec& spec) const {
  for (const AppFront* front : spec.fronts()) {
    for (const Route& route : front->routes) {
      const auto taken = routes_.find(route);
      const App* owner = taken == routes_.end() ? nullptr : find_app(taken->second);
      // Within a tenant the manifest was checked as a whole.
      if (owner == nullptr || owner->tenant().name == tenant.name) continue;
      return tenant.home + "/" + tenant.manifest + ": app " + front->settings.name.str() + ": route " +
             route.host + route.prefix + " is in use already; choose another one";
    }
  }
  return std::nullopt;
}

void Supervisor::take_routes(const App& app, const AppSpec& spec) {
  for (const AppFront* front : spec.fronts()) {
    for (const Route& route : front->routes) routes_[route] = app.number();
  }
}

void Supervisor::release_routes(const App& app) {
  for (const AppFront* front : app.spec().fronts()) {
    for (const Route& route : front->routes) {
      const auto taken = routes_.find(route);
      if (taken != routes_.end() && taken->second == app.number()) routes_.erase(taken);
    }
  }
}

}  // namespace rowhouse::supervisor
