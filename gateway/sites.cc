#include "gateway/sites.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/message_socket.h"

namespace rowhouse::gateway {
namespace {

using proto::Cause;

constexpr Refusal kNoHost{421, Cause::kNoHost, 0, AfterAnswer::kKeepAlive};
constexpr Refusal kNoRoute{404, Cause::kNoRoute, 0, AfterAnswer::kKeepAlive};

Error out_of_order(const char* message) {
  return make_error(ErrorCode::kInvalid, message);
}

AppLimits limits_of(const proto::AppBegin& begin) {
  return {begin.body_bytes, std::chrono::milliseconds(begin.request_ms),
          std::chrono::milliseconds(begin.queue_ms), begin.concurrency, begin.queue};
}

}  // namespace

Sites::Sites(Workbench& bench, ShareTable& shares, WorkerFaultListener& faults)
    : bench_(bench), shares_(shares), faults_(faults) {}

SiteMatch Sites::find(std::string_view host, std::string_view path) const {
  const RouteMatch route = router_.find(host, path);
  switch (route.kind) {
    case RouteMatch::Kind::kNoHost:
      return kNoHost;
    case RouteMatch::Kind::kNoRoute:
      return kNoRoute;
    case RouteMatch::Kind::kFound:
      break;
  }
  const Site& site = sites_.at(route.app);
  const std::string_view below = path.substr(route.prefix_bytes);
  for (const StaticPrefix& known : site.statics) {
    if (below.starts_with(known.prefix)) {
      return StaticMatch{route.app, known.root.get(), site.owner, below.substr(known.prefix.size())};
    }
  }
  return AppMatch{site.app.get(), route.prefix_bytes};
}

Status Sites::on_begin(const proto::AppBegin& message) {
  if (message.slot >= proto::kMaxApps) return out_of_order("AppBegin slot");
  Site& site = sites_[message.app];
  if (site.app == nullptr) {
    site.app = std::make_unique<App>(bench_, message.app, faults_);
    site.app->set_limits(limits_of(message), shares_.app(message.slot));
  }
  drafts_[message.app] = Draft{message, {}, {}};
  return {};
}

Status Sites::on_route(const proto::AppRoute& message) {
  const auto draft = drafts_.find(message.app);
  if (draft == drafts_.end() || draft->second.routes.size() == proto::kMaxRoutesPerApp) {
    return out_of_order("AppRoute");
  }
  draft->second.routes.push_back({message.host.str(), message.prefix.str()});
  return {};
}

Status Sites::on_static(const proto::AppStatic& message, UniqueFd root) {
  const auto draft = drafts_.find(message.app);
  const std::string_view prefix = message.prefix.view();
  if (draft == drafts_.end() || draft->second.statics.size() == proto::kMaxStaticsPerApp ||
      !prefix.starts_with('/') || !prefix.ends_with('/')) {
    return out_of_order("AppStatic");
  }
  draft->second.statics.push_back({std::string(prefix), std::move(root)});
  return {};
}

Status Sites::on_commit(const proto::AppCommit& message) {
  const auto found = drafts_.find(message.app);
  if (found == drafts_.end() || found->second.begin.revision != message.revision) {
    return out_of_order("AppCommit");
  }
  Draft draft = std::move(found->second);
  drafts_.erase(found);
  Site& site = sites_[message.app];
  site.app->set_limits(limits_of(draft.begin), shares_.app(draft.begin.slot));
  site.owner = draft.begin.uid;
  site.statics = std::move(draft.statics);
  std::sort(site.statics.begin(), site.statics.end(),
            [](const StaticPrefix& a, const StaticPrefix& b) { return a.prefix.size() > b.prefix.size(); });
  router_.set_routes(message.app, std::move(draft.routes));
  return {};
}

void Sites::on_remove(const proto::AppRemove& message) {
  drafts_.erase(message.app);
  router_.remove_app(message.app);
  const auto found = sites_.find(message.app);
  if (found == sites_.end()) return;
  std::unique_ptr<App> app = std::move(found->second.app);
  sites_.erase(found);
  app->remove();
  bench_.turn.bury(std::move(app));
}

App* Sites::find_app(std::uint32_t number, std::string_view message) const {
  const auto found = sites_.find(number);
  if (found != sites_.end()) return found->second.app.get();
  log_warning("message-for-unknown-app", {{"message", message}, {"app", number}});
  return nullptr;
}

Status Sites::on_worker(const proto::WorkerAdd& message, UniqueFd channel) {
  if (message.slot >= proto::kMaxWorkers || message.threads == 0 || message.threads > proto::kMaxThreads) {
    return out_of_order("WorkerAdd");
  }
  RH_TRY(set_nonblocking(channel.get()));
  App* const app = find_app(message.app, "WorkerAdd");
  if (app == nullptr) return {};
  app->add_worker({message.app, message.generation, message.worker, message.threads},
                  shares_.worker(message.slot), std::move(channel));
  return {};
}

void Sites::on_worker_gone(const proto::WorkerGone& message) {
  App* const app = find_app(message.app, "WorkerGone");
  if (app == nullptr || app->remove_worker(message.generation, message.worker)) return;
  log_warning("unknown-worker-gone", {{"app", message.app}, {"worker", message.worker}});
}

void Sites::on_condition(const proto::AppConditionChange& message) {
  App* const app = find_app(message.app, "AppCondition");
  if (app != nullptr) app->set_condition(message.condition, message.retry_after_s);
}

void Sites::on_switch(const proto::Switch& message) {
  App* const app = find_app(message.app, "Switch");
  if (app != nullptr) app->switch_to(message.generation);
}

}  // namespace rowhouse::gateway
