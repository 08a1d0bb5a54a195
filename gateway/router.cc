#include "gateway/router.h"

#include <algorithm>

namespace rowhouse::gateway {
namespace {

constexpr std::string_view kWildcardMark = "*.";

bool is_wildcard(std::string_view host) { return host.substr(0, kWildcardMark.size()) == kWildcardMark; }

std::size_t count_of(std::string_view text, char byte) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), byte));
}

std::size_t labels_of(std::string_view name) { return count_of(name, '.') + 1; }

// Where the longest part of `path` ends that may be a prefix: before a slash or at the end of the path,
// within both bounds.
std::size_t longest_candidate(std::string_view path, std::size_t deepest, std::size_t longest) {
  std::size_t end = 0;
  for (std::size_t segments = 0; segments < deepest && end < path.size(); ++segments) {
    const std::size_t next = std::min(path.find('/', end + 1), path.size());
    if (next > longest) break;
    end = next;
  }
  return end;
}

}  // namespace

void Router::set_routes(std::uint32_t app, std::vector<RouteKey> routes) {
  remove_app(app);
  for (std::size_t i = 0; i < routes.size(); ++i) add_claim({app, static_cast<std::uint16_t>(i)}, routes[i]);
  routes_of_app_.emplace(app, std::move(routes));
}

void Router::remove_app(std::uint32_t app) {
  const auto found = routes_of_app_.find(app);
  if (found == routes_of_app_.end()) return;
  for (const RouteKey& key : found->second) remove_claim(app, key);
  routes_of_app_.erase(found);
}

void Router::add_claim(Claim claim, const RouteKey& key) {
  Host* host = nullptr;
  if (is_wildcard(key.host)) {
    const std::string name = key.host.substr(kWildcardMark.size());
    const auto [entry, is_new] = wildcard_.try_emplace(name);
    if (is_new) ++wildcards_by_labels_[std::min(labels_of(name), kMaxLabels - 1)];
    host = &entry->second;
  } else {
    host = &exact_[key.host];
  }
  host->prefixes[key.prefix].push_back(claim);
  host->deepest = std::max(host->deepest, count_of(key.prefix, '/'));
  host->longest = std::max(host->longest, key.prefix.size());
}

void Router::remove_claim(std::uint32_t app, const RouteKey& key) {
  const bool wildcard = is_wildcard(key.host);
  TextMap<Host>& hosts = wildcard ? wildcard_ : exact_;
  const std::string name = wildcard ? key.host.substr(kWildcardMark.size()) : key.host;
  const auto host = hosts.find(name);
  if (host == hosts.end()) return;
  const auto prefix = host->second.prefixes.find(key.prefix);
  if (prefix == host->second.prefixes.end()) return;
  std::erase_if(prefix->second, [app](const Claim& claim) { return claim.app == app; });
  if (prefix->second.empty()) host->second.prefixes.erase(prefix);
  if (!host->second.prefixes.empty()) return;
  if (wildcard) --wildcards_by_labels_[std::min(labels_of(name), kMaxLabels - 1)];
  hosts.erase(host);
}

const Router::Host* Router::find_wildcard(std::string_view host) const {
  std::size_t labels = labels_of(host);
  while (labels > 1) {
    host.remove_prefix(host.find('.') + 1);
    --labels;
    if (wildcards_by_labels_[std::min(labels, kMaxLabels - 1)] == 0) continue;
    const auto found = wildcard_.find(host);
    if (found != wildcard_.end()) return &found->second;
  }
  return nullptr;
}

const Router::Host* Router::find_host(std::string_view host) const {
  const auto found = exact_.find(host);
  return found != exact_.end() ? &found->second : find_wildcard(host);
}

RouteMatch Router::find(std::string_view host_name, std::string_view path) const {
  const Host* host = find_host(host_name);
  if (host == nullptr) return {RouteMatch::Kind::kNoHost};
  std::size_t end = longest_candidate(path, host->deepest, host->longest);
  while (true) {
    const auto found = host->prefixes.find(path.substr(0, end));
    if (found != host->prefixes.end()) {
      const Claim& claim = found->second.back();
      return {RouteMatch::Kind::kFound, claim.app, claim.route, end};
    }
    if (end == 0) return {RouteMatch::Kind::kNoRoute};
    end = path.rfind('/', end - 1);
  }
}

}  // namespace rowhouse::gateway
