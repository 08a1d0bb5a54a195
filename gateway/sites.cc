#include "gateway/sites.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/message_socket.h"
#include "gateway/http_bytes.h"

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
          std::chrono::milliseconds(begin.queue_ms), begin.concurrency, begin.queue, {}, begin.uid};
}

constexpr std::string_view kAcmePrefix = "/.well-known/acme-challenge/";  // RFC 8555 8.3
constexpr std::size_t kMaxCacheControlBytes = 256;
constexpr std::size_t kMaxIndexBytes = 64;

// What the tenant says of its static prefixes, as far as it is sound.
void apply_options(std::vector<StaticPrefix>& statics, const proto::GatewayPart& part) {
  for (const proto::GatewayPart::Static& options : part.statics) {
    const auto place = std::find_if(statics.begin(), statics.end(), [&](const StaticPrefix& known) {
      return known.prefix == options.prefix;
    });
    if (place == statics.end()) continue;
    const bool printable = all_in(kValueBytes, options.cache_control);
    if (printable && options.cache_control.size() <= kMaxCacheControlBytes) {
      place->cache_control = options.cache_control;
    }
    const bool is_name = !options.index.empty() && options.index.size() <= kMaxIndexBytes &&
                         options.index.find('/') == std::string::npos && !options.index.starts_with('.') &&
                         options.index.find('\0') == std::string::npos;
    if (is_name) place->index = options.index;
    place->fallback = options.fallback;
  }
}

bool is_content_type(std::string_view text) {
  return text.find('/') != std::string_view::npos && all_in(kValueBytes, text);
}

AppOptions options_of(proto::GatewayPart& part) {
  AppOptions options;
  options.buffering = part.buffering;
  options.buffer_responses = part.buffer_responses;
  if (part.json_access_log) options.access_format = proto::AccessFormat::kJson;
  for (proto::GatewayPart::Page& page : part.pages) {
    if (page.first_status < 400 || page.last_status > 599) continue;
    options.pages.push_back({page.first_status, page.last_status, std::move(page.html)});
  }
  options.compress.enabled = part.compress.enabled;
  options.compress.with_cookies = part.compress.with_cookies;
  options.compress.min_bytes = part.compress.min_bytes;
  for (std::string& type : part.compress.types) {
    if (is_content_type(type)) options.compress.types.push_back(std::move(type));
  }
  return options;
}

std::vector<Redirect> redirects_of(const proto::GatewayPart& part, std::size_t routes) {
  std::vector<Redirect> redirects;
  for (const proto::GatewayPart::Redirect& given : part.redirects) {
    const Redirect redirect{given.status, given.target, given.keep_path};
    if (given.route >= routes || !is_sound(redirect)) continue;
    redirects.resize(routes);
    redirects[given.route] = redirect;
  }
  return redirects;
}

}  // namespace

Sites::Sites(Workbench& bench, ShareTable& shares, AppListener& listener)
    : bench_(bench), shares_(shares), listener_(listener) {}

std::variant<Sites::Place, RedirectMatch, Refusal> Sites::find_place(std::string_view host,
                                                                     std::string_view path) const {
  RouteMatch route = router_.find(host, path);
  if (route.kind == RouteMatch::Kind::kNoHost && !default_site_.empty())
    route = router_.find(default_site_, path);
  switch (route.kind) {
    case RouteMatch::Kind::kNoHost: return kNoHost;
    case RouteMatch::Kind::kNoRoute: return kNoRoute;
    case RouteMatch::Kind::kFound: break;
  }
  const Site& site = sites_.at(route.app);
  const bool redirects = route.route < site.redirects.size() && site.redirects[route.route].status != 0;
  if (redirects && !site.app->is_suspended()) {
    return RedirectMatch{route.app, &site.redirects[route.route], route.prefix_bytes, site.tenant};
  }
  return Place{&site, route};
}

SiteMatch Sites::find(std::string_view host, std::string_view path) const {
  if (acme_.root.valid() && path.starts_with(kAcmePrefix)) {
    return StaticMatch{0, &acme_, acme_.owner, path.substr(kAcmePrefix.size()), nullptr};
  }
  const auto found = find_place(host, path);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return *refusal;
  if (const auto* redirect = std::get_if<RedirectMatch>(&found)) return *redirect;
  const auto& [site, route] = *std::get_if<Place>(&found);
  // The app refuses for its files too.
  if (site->app->is_suspended()) return AppMatch{site->app.get(), route.prefix_bytes};
  const std::string_view below = path.substr(route.prefix_bytes);
  for (const StaticPrefix& known : site->statics) {
    if (below.starts_with(known.prefix)) {
      return StaticMatch{route.app, &known, known.owner, below.substr(known.prefix.size()), site->tenant};
    }
  }
  return AppMatch{site->app.get(), route.prefix_bytes, site->tenant};
}

SiteMatch Sites::find_app(std::string_view host, std::string_view path) const {
  const auto found = find_place(host, path);
  if (const auto* refusal = std::get_if<Refusal>(&found)) return *refusal;
  if (const auto* redirect = std::get_if<RedirectMatch>(&found)) return *redirect;
  const auto& [site, route] = *std::get_if<Place>(&found);
  return AppMatch{site->app.get(), route.prefix_bytes, site->tenant};
}

Status Sites::on_begin(const proto::AppBegin& message) {
  if (message.slot >= proto::kMaxApps) return out_of_order("AppBegin slot");
  Site& site = sites_[message.app];
  if (site.app == nullptr) {
    site.app = std::make_unique<App>(bench_, message.app, listener_);
    site.app->set_limits(limits_of(message), shares_.app(message.slot));
    site.app->set_counts(shares_.counts(message.slot));
  }
  drafts_[message.app] = Draft{message, {}, {}, {}};
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
  StaticPrefix& place = draft->second.statics.emplace_back();
  place.prefix = prefix;
  place.root = std::move(root);
  place.owner = draft->second.begin.uid;
  return {};
}

// SECURITY: these are a tenant's bytes.  A part that is not sound is as good as none.
Status Sites::on_part(const proto::AppPart& message, UniqueFd part) {
  const auto draft = drafts_.find(message.app);
  if (draft == drafts_.end()) return out_of_order("AppPart");
  const auto bytes = read_sealed_memory(part.get(), proto::kMaxGatewayPartBytes);
  auto parsed = bytes.ok() ? proto::parse_gateway_part(as_bytes(bytes.value()))
                           : Result<proto::GatewayPart>(bytes.error());
  if (parsed.ok()) {
    draft->second.part = std::move(parsed).value();
  } else {
    log_warning("gateway-part-refused", {{"app", message.app}, {"error", parsed.error()}});
  }
  return {};
}

Status Sites::on_retry(const proto::AppRetry& message) {
  const auto draft = drafts_.find(message.app);
  if (draft == drafts_.end()) return out_of_order("AppRetry");
  draft->second.retry = message.policy;
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
  AppLimits limits = limits_of(draft.begin);
  limits.retry = draft.retry;
  site.app->set_limits(limits, shares_.app(draft.begin.slot));
  site.app->set_counts(shares_.counts(draft.begin.slot));
  apply_options(draft.statics, draft.part);
  site.statics = std::move(draft.statics);
  site.redirects = redirects_of(draft.part, draft.routes.size());
  site.app->set_options(options_of(draft.part));
  set_tenant(site, draft.begin);
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
  leave_tenant(found->second, message.app);
  std::unique_ptr<App> app = std::move(found->second.app);
  sites_.erase(found);
  app->remove();
  bench_.turn.bury(std::move(app));
}

const std::string* Sites::page(std::uint32_t app, std::uint16_t status) const {
  const auto found = sites_.find(app);
  return found == sites_.end() ? nullptr : found->second.app->options().page(status);
}

proto::AccessFormat Sites::access_format(std::uint32_t app) const {
  const auto found = sites_.find(app);
  return found == sites_.end() ? proto::AccessFormat::kCombined : found->second.app->options().access_format;
}

void Sites::count(const ExchangeTally& tally, const proto::AccessRecord& record) {
  if (const auto found = sites_.find(record.app); found != sites_.end()) found->second.app->count_record(tally, record);
}

void Sites::set_acme_directory(UniqueFd root, std::uint32_t owner) {
  acme_.prefix = kAcmePrefix;
  acme_.root = std::move(root);
  acme_.owner = owner;
  acme_.fallback = true;  // a tenant may have a client of its own
}

void Sites::set_tenant(Site& site, const proto::AppBegin& begin) {
  if (site.tenant != nullptr && site.tenant->name != begin.tenant.view()) leave_tenant(site, begin.app);
  std::unique_ptr<Tenant>& known = tenants_[begin.tenant.str()];
  if (known == nullptr) known = std::make_unique<Tenant>(begin.tenant.str(), bench_.deadlines);
  Tenant& tenant = *known;
  site.tenant = &tenant;
  tenant.rate.set_rate(begin.rate);
  tenant.rate.set_app(begin.app, shares_.app(begin.slot));
  site.app->set_rate(begin.rate != 0 ? &tenant.rate : nullptr);
  tenant.traffic.set_app(begin.app, shares_.traffic(begin.slot));
  tenant.traffic.set_limits({begin.connections, begin.bytes_out});
  tenant.pacer.on_limits(bench_.turn.now());
}

void Sites::leave_tenant(Site& site, std::uint32_t app) {
  Tenant* const tenant = std::exchange(site.tenant, nullptr);
  site.app->set_rate(nullptr);
  if (tenant == nullptr) return;
  tenant->rate.remove_app(app);
  tenant->traffic.remove_app(app);
  forget_if_unused(*tenant);
}

void Sites::leave(Tenant& tenant) {
  tenant.traffic.leave();
  forget_if_unused(tenant);
}

void Sites::forget_if_unused(Tenant& tenant) {
  if (!tenant.traffic.has_apps() && tenant.traffic.connections() == 0) tenants_.erase(std::string(tenant.name));
}

App* Sites::app_of(std::uint32_t number, std::string_view message) const {
  const auto found = sites_.find(number);
  if (found != sites_.end()) return found->second.app.get();
  log_warning("message-for-unknown-app", {{"message", message}, {"app", number}});
  return nullptr;
}

Status Sites::on_worker(const proto::WorkerAdd& message, UniqueFd channel) {
  if (message.slot >= proto::kMaxWorkers || message.threads == 0 || message.threads > proto::kMaxConcurrency) {
    return out_of_order("WorkerAdd");
  }
  RH_TRY(set_nonblocking(channel.get()));
  App* const app = app_of(message.app, "WorkerAdd");
  if (app == nullptr) return {};
  app->add_worker({message.app, message.generation, message.worker, message.threads},
                  shares_.worker(message.slot), std::move(channel));
  return {};
}

void Sites::on_worker_gone(const proto::WorkerGone& message) {
  App* const app = app_of(message.app, "WorkerGone");
  if (app == nullptr || app->remove_worker(message.generation, message.worker)) return;
  log_warning("unknown-worker-gone", {{"app", message.app}, {"worker", message.worker}});
}

void Sites::on_condition(const proto::AppConditionChange& message) {
  App* const app = app_of(message.app, "AppCondition");
  if (app != nullptr) app->set_condition(message.condition, message.retry_after_s);
}

void Sites::on_switch(const proto::Switch& message) {
  App* const app = app_of(message.app, "Switch");
  if (app != nullptr) app->switch_to(message.generation);
}

void Sites::on_worker_leaving(const proto::WorkerLeaving& message) {
  App* const app = app_of(message.app, "WorkerLeaving");
  if (app != nullptr) app->spare_worker(message.generation, message.worker);
}

void Sites::on_probe(const proto::Probe& message) {
  App* const app = app_of(message.app, "Probe");
  if (app != nullptr) app->probe(message);
}

}  // namespace rowhouse::gateway
