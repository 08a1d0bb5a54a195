// Everything that the supervisor told this gateway to serve: apps by number, the routes that lead to them,
// their static prefixes.  An app's configuration arrives in pieces and comes into force as a whole
// (AppCommit).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/unique_fd.h"
#include "gateway/app.h"
#include "gateway/redirect.h"
#include "gateway/refusal.h"
#include "gateway/router.h"
#include "gateway/share.h"
#include "gateway/tenant.h"
#include "gateway/workbench.h"
#include "proto/gateway_messages.h"
#include "proto/gateway_part.h"

namespace rowhouse::gateway {

struct StaticPrefix {
  std::string prefix;       // "/static/", relative to each route
  UniqueFd root;            // O_PATH, opened as the tenant
  std::uint32_t owner = 0;  // uid that a file must have
  std::string cache_control;
  std::string index = "index.html";
  bool fallback = false;  // what is no file here is the app's to answer
};

// The app that answers a request.
struct AppMatch {
  App* app = nullptr;
  std::size_t prefix_bytes = 0;  // of the path that belong to the route
  Tenant* tenant = nullptr;
};
// A static file, in place of the app.
struct StaticMatch {
  std::uint32_t app = 0;
  const StaticPrefix* place = nullptr;  // valid during this event
  std::uint32_t owner = 0;
  std::string_view relative;  // part of the path given
  Tenant* tenant = nullptr;   // null: a file of the host's
};
// Another address, in place of both.
struct RedirectMatch {
  std::uint32_t app = 0;
  const Redirect* redirect = nullptr;  // valid during this event
  std::size_t prefix_bytes = 0;
  Tenant* tenant = nullptr;
};
using SiteMatch = std::variant<AppMatch, StaticMatch, RedirectMatch, Refusal>;

class Sites {
 public:
  Sites(Workbench& bench, ShareTable& shares, AppListener& listener);
  Sites(const Sites&) = delete;
  Sites& operator=(const Sites&) = delete;

  // `host`: lower case, without port; `path`: normal form.
  [[nodiscard]] SiteMatch find(std::string_view host, std::string_view path) const;
  // The same without static files.
  [[nodiscard]] SiteMatch find_app(std::string_view host, std::string_view path) const;
  // The tenant's page in place of ours; null: none.
  [[nodiscard]] const std::string* page(std::uint32_t app, std::uint16_t status) const;
  // How the app's access log is written; 0: of no app.
  [[nodiscard]] proto::AccessFormat access_format(std::uint32_t app) const;

  // A request is over: counts it for the app that `record` names.
  void count(const ExchangeTally& tally, const proto::AccessRecord& record);

  // A connection that had entered the tenant (TenantTraffic::enter) leaves it.
  void leave(Tenant& tenant);

  // Answers for hosts that nobody has; empty: nobody does.
  void set_default_site(std::string host) { default_site_ = std::move(host); }
  // Files of a directory of the host's, for every host, in front of all routes.
  void set_acme_directory(UniqueFd root, std::uint32_t owner);

  // From the supervisor.  kInvalid: a message out of order or beyond a cap, which no supervisor of ours
  // sends.
  Status on_begin(const proto::AppBegin& message);
  Status on_route(const proto::AppRoute& message);
  Status on_static(const proto::AppStatic& message, UniqueFd root);
  Status on_part(const proto::AppPart& message, UniqueFd part);
  Status on_retry(const proto::AppRetry& message);
  Status on_commit(const proto::AppCommit& message);
  void on_remove(const proto::AppRemove& message);
  Status on_worker(const proto::WorkerAdd& message, UniqueFd channel);
  void on_worker_gone(const proto::WorkerGone& message);
  void on_condition(const proto::AppConditionChange& message);
  void on_switch(const proto::Switch& message);
  void on_probe(const proto::Probe& message);
  void on_worker_leaving(const proto::WorkerLeaving& message);

  template <typename Visitor>
  void for_each_app(Visitor visit) const {
    for (const auto& [number, site] : sites_) visit(*site.app);
  }

 private:
  // An app's configuration while its pieces arrive.
  struct Draft {
    proto::AppBegin begin;
    std::vector<RouteKey> routes;
    std::vector<StaticPrefix> statics;
    proto::GatewayPart part;
    proto::RetryPolicy retry = proto::RetryPolicy::kUnstarted;
  };
  struct Site {
    std::unique_ptr<App> app;
    Tenant* tenant = nullptr;
    std::vector<StaticPrefix> statics;  // longest prefix first
    std::vector<Redirect> redirects;    // by number of the route; empty: none at all
  };
  struct Place {
    const Site* site = nullptr;
    RouteMatch route;
  };

  [[nodiscard]] std::variant<Place, RedirectMatch, Refusal> find_place(std::string_view host,
                                                                       std::string_view path) const;
  void set_tenant(Site& site, const proto::AppBegin& begin);
  void leave_tenant(Site& site, std::uint32_t app);
  void forget_if_unused(Tenant& tenant);
  [[nodiscard]] App* app_of(std::uint32_t number, std::string_view message) const;

  Workbench& bench_;
  ShareTable& shares_;
  AppListener& listener_;
  Router router_;
  std::string default_site_;
  StaticPrefix acme_;  // without a root: none
  std::unordered_map<std::string, std::unique_ptr<Tenant>> tenants_;  // by name; with an app or a connection
  std::unordered_map<std::uint32_t, Site> sites_;
  std::unordered_map<std::uint32_t, Draft> drafts_;
};

}  // namespace rowhouse::gateway
