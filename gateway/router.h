// Which app answers for a host and a path.  Hash lookups only: ten thousand hosts cost what ten cost.
//
// A host is looked up exactly first, then as a wildcard with labels stripped from the left: "*.acme.example"
// matches one or more labels below, and the longest wildcard wins.  The host that was found decides alone:
// its longest prefix on a segment boundary wins, and a path that none of them matches has no route, whatever
// a shorter wildcard might say.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/keyed_hash.h"

namespace rowhouse::gateway {

struct RouteKey {
  std::string host;    // lower case; may begin with "*."
  std::string prefix;  // "" or "/a/b", without a slash at the end
};

struct RouteMatch {
  enum class Kind : std::uint8_t { kFound, kNoHost, kNoRoute };
  Kind kind = Kind::kNoHost;
  std::uint32_t app = 0;         // kFound only
  std::uint16_t route = 0;       // kFound only: which of the app's, from 0
  std::size_t prefix_bytes = 0;  // kFound only: SCRIPT_NAME is this much of the path, PATH_INFO the rest
};

class Router {
 public:
  // Replaces the routes of `app`.  When two apps name the same route, as while a route moves from one app to
  // another, the later call has it; the earlier app has it again once the later one gives it up.
  void set_routes(std::uint32_t app, std::vector<RouteKey> routes);
  void remove_app(std::uint32_t app);

  // `host`: from host_of_authority.  `path`: from normalise_path.  Allocates nothing.
  [[nodiscard]] RouteMatch find(std::string_view host, std::string_view path) const;

 private:
  template <typename Value>
  using TextMap = std::unordered_map<std::string, Value, KeyedTextHash, std::equal_to<>>;

  struct Claim {
    std::uint32_t app = 0;
    std::uint16_t route = 0;
  };
  struct Host {
    TextMap<std::vector<Claim>> prefixes;  // who claims it, the last one has it
    // Bounds for the search; they do not shrink while the host has routes.
    std::size_t deepest = 0;  // segments
    std::size_t longest = 0;  // bytes
  };
  static constexpr std::size_t kMaxLabels = 128;  // of a name of 253 bytes

  void add_claim(Claim claim, const RouteKey& key);
  void remove_claim(std::uint32_t app, const RouteKey& key);
  [[nodiscard]] const Host* find_host(std::string_view host) const;
  [[nodiscard]] const Host* find_wildcard(std::string_view host) const;

  KeyedTextHash hash_;
  TextMap<Host> exact_{0, hash_};
  TextMap<Host> wildcard_{0, hash_};                             // under the name without "*."
  std::array<std::uint32_t, kMaxLabels> wildcards_by_labels_{};  // how many names of so many labels
  std::unordered_map<std::uint32_t, std::vector<RouteKey>> routes_of_app_;
};

}  // namespace rowhouse::gateway
