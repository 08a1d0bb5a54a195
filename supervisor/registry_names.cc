// The shapes of names, hosts and prefixes, as root checks them once more.
#include <algorithm>

#include "supervisor/registry.h"

namespace rowhouse::supervisor {
namespace {

bool is_label(std::string_view label) {
  const auto valid = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), valid);
}

bool is_plain_segment(std::string_view segment) {
  const auto valid = [](char c) { return c > ' ' && c < 0x7f && c != '%' && c != '?' && c != '#' && c != '\\'; };
  return !segment.empty() && segment != "." && segment != ".." && std::all_of(segment.begin(), segment.end(), valid);
}

}  // namespace

bool is_name(std::string_view text) {
  const auto valid = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= proto::kMaxNameBytes && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), valid);
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > proto::kMaxHostBytes) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_route_prefix(std::string_view text) {
  if (text.empty()) return true;
  if (text.size() > proto::kMaxPrefixBytes || text.front() != '/') return false;
  text.remove_prefix(1);
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_plain_segment(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_path_below(std::string_view text) {
  while (true) {
    const std::size_t slash = text.find('/');
    const std::string_view component = text.substr(0, slash);
    if (component.empty() || component == "." || component == ".." || component.find('\0') != std::string_view::npos) {
      return false;
    }
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool owns_host(const std::vector<Domain>& domains, std::string_view host) {
  const bool wildcard = host.starts_with("*.");
  const std::string_view bare = wildcard ? host.substr(2) : host;
  return std::any_of(domains.begin(), domains.end(), [&](const Domain& domain) {
    if (!domain.wildcard) return !wildcard && bare == domain.host;
    const bool below = bare.size() > domain.host.size() + 1 && bare.ends_with(domain.host) &&
                       bare[bare.size() - domain.host.size() - 1] == '.';
    return below || (wildcard && bare == domain.host);
  });
}

}  // namespace rowhouse::supervisor
