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
#include "gateway/refusal.h"
#include "gateway/router.h"
#include "gateway/share.h"
#include "gateway/workbench.h"
#include "proto/gateway_messages.h"

namespace rowhouse::gateway {

struct StaticPrefix {
  std::string prefix;  // "/static/", relative to each route
  UniqueFd root;       // O_PATH, opened as the tenant
};

// The app that answers a request.
struct AppMatch {
  App* app = nullptr;
  std::size_t prefix_bytes = 0;  // of the path that belong to the route
};
// A static file, in place of the app.
struct StaticMatch {
  std::uint32_t app = 0;
  int root = -1;              // of the app's StaticPrefix; valid during this event
  std::uint32_t owner = 0;    // uid that the file must have
  std::string_view relative;  // part of the path given
};
using SiteMatch = std::variant<AppMatch, StaticMatch, Refusal>;

class Sites {
 public:
  Sites(Workbench& bench, ShareTable& shares, WorkerFaultListener& faults);
  Sites(const Sites&) = delete;
  Sites& operator=(const Sites&) = delete;

  // `host`: lower case, without port; `path`: normal form.
  [[nodiscard]] SiteMatch find(std::string_view host, std::string_view path) const;

  // From the supervisor.  kInvalid: a message out of order or beyond a cap, which no supervisor of ours
  // sends.
  Status on_begin(const proto::AppBegin& message);
  Status on_route(const proto::AppRoute& message);
  Status on_static(const proto::AppStatic& message, UniqueFd root);
  Status on_commit(const proto::AppCommit& message);
  void on_remove(const proto::AppRemove& message);
  Status on_worker(const proto::WorkerAdd& message, UniqueFd channel);
  void on_worker_gone(const proto::WorkerGone& message);
  void on_condition(const proto::AppConditionChange& message);
  void on_switch(const proto::Switch& message);

 private:
  // An app's configuration while its pieces arrive.
  struct Draft {
    proto::AppBegin begin;
    std::vector<RouteKey> routes;
    std::vector<StaticPrefix> statics;
  };
  struct Site {
    std::unique_ptr<App> app;
    std::uint32_t owner = 0;
    std::vector<StaticPrefix> statics;  // longest prefix first
  };

  [[nodiscard]] App* find_app(std::uint32_t number, std::string_view message) const;

  Workbench& bench_;
  ShareTable& shares_;
  WorkerFaultListener& faults_;
  Router router_;
  std::unordered_map<std::uint32_t, Site> sites_;
  std::unordered_map<std::uint32_t, Draft> drafts_;
};

}  // namespace rowhouse::gateway
