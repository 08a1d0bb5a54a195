#include "config/gateway_schema.h"

#include <algorithm>

#include "config/addresses.h"
#include "config/characters.h"
#include "config/paths.h"
#include "config/ranges.h"

namespace rowhouse::config {
namespace {

constexpr std::size_t kMaxCacheControlBytes = 256;
constexpr std::size_t kMaxIndexBytes = 64;
constexpr std::size_t kMaxRedirectBytes = 1024;
constexpr std::size_t kMaxTypeBytes = 100;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return byte >= ' ' && byte < 0x7f; });
}

// "app": what is no file here is the app's to answer.
Parsed<std::string> parse_fallback(std::string_view text) {
  if (text == "app") return std::string(text);
  return Problem{"must be \"app\""};
}

// A path, or a map of it and how its files are sent.
void read_static(const Node& node, std::string_view name, const proto::Prefix& prefix, App& app,
                 Diagnostics& diagnostics) {
  proto::GatewayPart::Static options;
  options.prefix = prefix.str();
  if (node.kind != NodeKind::kMap) {
    const auto path = read_parsed(node, quote(name), diagnostics, parse_relative_path);
    if (!path) return;
    app.statics.push_back({prefix, {*path, node.position}});
  } else {
    const MapReader reader(node, kStaticTable, diagnostics);
    if (reader.require("directory") == nullptr) return;
    const auto path = reader.parsed("directory", parse_relative_path);
    if (path) app.statics.push_back({prefix, {*path, reader.position_of("directory")}});
    if (const auto value = reader.parsed("cache_control", parse_cache_control)) options.cache_control = *value;
    if (const auto value = reader.parsed("index", parse_index_name)) options.index = *value;
    options.fallback = reader.parsed("fallback", parse_fallback).has_value();
  }
  app.gateway.statics.push_back(std::move(options));
}

void read_statics(const Node& node, App& app, Diagnostics& diagnostics) {
  const Node* map = read_names(node, "\"static\"", proto::kMaxStaticsPerApp, diagnostics);
  if (map == nullptr) return;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    const Key& key = map->keys[i];
    const Parsed<proto::Prefix> prefix = parse_static_prefix(key.name);
    if (!prefix.ok()) diagnostics.add(key.position, "\"static\" " + prefix.problem());
    read_static(map->children[i], key.name, prefix.ok() ? prefix.value() : proto::Prefix{}, app, diagnostics);
  }
}

Parsed<std::string> parse_redirect_target(std::string_view text) {
  const bool absolute = text.starts_with("http://") || text.starts_with("https://");
  const bool path = text.starts_with('/') && !text.starts_with("//");
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
  if ((!absolute && !path) || !plain || text.size() > kMaxRedirectBytes) {
    return Problem{"must be an address such as \"https://www.acme.example\" or \"/new\", without spaces and \"#\", of at most "
                   "1024 bytes"};
  }
  return std::string(text);
}

void read_redirect_map(const Node& node, proto::GatewayPart::Redirect& redirect, Diagnostics& diagnostics) {
  const MapReader reader(node, kRedirectTable, diagnostics);
  if (reader.require("to") == nullptr) return;
  if (const auto target = reader.parsed("to", parse_redirect_target)) redirect.target = *target;
  if (const Node* status = reader.find("status")) {
    const auto number = read_whole(*status, "\"status\"", {301, 308}, diagnostics);
    const bool known = number && (*number <= 303 || *number >= 307);
    if (number && !known) diagnostics.add(status->position, "\"status\" must be 301, 302, 303, 307 or 308");
    if (known) redirect.status = static_cast<std::uint16_t>(*number);
  }
  reader.flag("keep_path", redirect.keep_path);
}

// Routes whose visitors are sent elsewhere; they are the app's routes like the others, behind them.
void read_redirects(const Node& node, App& app, Diagnostics& diagnostics) {
  const Node* map = read_names(node, "\"redirect\"", proto::kMaxRoutesPerApp, diagnostics);
  if (map == nullptr) return;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    const Key& key = map->keys[i];
    const Parsed<proto::RouteRecord> route = parse_route(key.name);
    if (!route.ok()) diagnostics.add(key.position, "\"redirect\" " + route.problem());
    proto::GatewayPart::Redirect redirect;
    redirect.route = static_cast<std::uint16_t>(app.routes.size());
    if (map->children[i].kind == NodeKind::kMap) {
      read_redirect_map(map->children[i], redirect, diagnostics);
    } else if (const auto target = read_parsed(map->children[i], quote(key.name), diagnostics, parse_redirect_target)) {
      redirect.target = *target;
    }
    if (redirect.keep_path && redirect.target.find('?') != std::string::npos) {
      diagnostics.add(map->children[i].position, "a redirect to an address with \"?\" needs keep_path: false");
    }
    if (!route.ok()) continue;
    if (app.routes.size() == proto::kMaxRoutesPerApp) {
      diagnostics.add(key.position, "\"routes\" and \"redirect\" must have at most 64 entries together");
      return;
    }
    const bool taken = std::any_of(app.routes.begin(), app.routes.end(), [&](const proto::RouteRecord& other) {
      return other.host == route.value().host && other.prefix == route.value().prefix;
    });
    if (taken) diagnostics.add(key.position, "\"redirect\" has " + quote(key.name) + ", which is a route of the app already");
    app.routes.push_back(route.value());
    app.gateway.redirects.push_back(std::move(redirect));
  }
}

// "404", or "5xx" for all of a hundred.
Parsed<PageEntry> parse_page_key(std::string_view text) {
  const Problem problem{"must have statuses such as \"404\", \"4xx\" or \"5xx\", not " + quote(text)};
  if (text == "4xx") return PageEntry{400, 499, {}};
  if (text == "5xx") return PageEntry{500, 599, {}};
  const Parsed<std::uint64_t> number = parse_whole(text, {400, 599});
  if (!number.ok()) return problem;
  const auto status = static_cast<std::uint16_t>(number.value());
  return PageEntry{status, status, {}};
}

void read_error_pages(const Node& node, App& app, Diagnostics& diagnostics) {
  const Node* map = read_names(node, "\"error_pages\"", proto::kMaxErrorPages, diagnostics);
  if (map == nullptr) return;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    const Parsed<PageEntry> page = parse_page_key(map->keys[i].name);
    if (!page.ok()) diagnostics.add(map->keys[i].position, "\"error_pages\" " + page.problem());
    const auto path = read_parsed(map->children[i], quote(map->keys[i].name), diagnostics, parse_relative_path);
    if (!page.ok() || !path) continue;
    app.pages.push_back(page.value());
    app.pages.back().file = {*path, map->children[i].position};
  }
}

Parsed<std::string> parse_content_type(std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool shaped = slash != std::string_view::npos && slash > 0 && slash + 1 < text.size();
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || is_digit(c) || c == '/' || c == '-' || c == '+' || c == '.';
  });
  if (!shaped || !plain || text.size() > kMaxTypeBytes) {
    return Problem{"must have content types such as \"text/html\", not " + quote(text)};
  }
  return std::string(text);
}

// true, false, or a map of what is compressed.
void read_compress(const Node& node, proto::GatewayPart::Compress& compress, Diagnostics& diagnostics) {
  if (node.kind != NodeKind::kMap) {
    if (const auto enabled = read_flag(node, "\"compress\"", diagnostics)) compress.enabled = *enabled;
    return;
  }
  compress.enabled = true;
  const MapReader reader(node, kCompressTable, diagnostics);
  reader.quantity("min", parse_size, kMinCompressBytes, compress.min_bytes);
  reader.flag("with_cookies", compress.with_cookies);
  const Node* types = reader.find("types");
  if (types == nullptr) return;
  const auto* items = read_list(*types, "\"types\"", proto::kMaxCompressTypes, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    if (const auto type = read_parsed(item, "\"types\"", diagnostics, parse_content_type)) compress.types.push_back(*type);
  }
}

}  // namespace

Parsed<std::string> parse_cache_control(std::string_view text) {
  if (!is_printable(text) || text.size() > kMaxCacheControlBytes) {
    return Problem{"must be printable ASCII of at most 256 bytes, such as \"public, max-age=86400\""};
  }
  return std::string(text);
}

Parsed<std::string> parse_index_name(std::string_view text) {
  const bool shaped = !text.starts_with('.') && text.find('/') == std::string_view::npos && is_printable(text);
  if (!shaped || text.size() > kMaxIndexBytes) {
    return Problem{"must be a file name of at most 64 bytes without a slash and without a dot at its start"};
  }
  return std::string(text);
}

Parsed<bool> parse_access_log(std::string_view text) {
  if (text == "combined" || text == "json") return text == "json";
  return Problem{"must be \"combined\" or \"json\""};
}

void read_gateway_part(const MapReader& reader, App& app) {
  if (const Node* redirects = reader.find("redirect")) read_redirects(*redirects, app, reader.diagnostics());
  if (const Node* pages = reader.find("error_pages")) read_error_pages(*pages, app, reader.diagnostics());
  if (const Node* compress = reader.find("compress")) {
    read_compress(*compress, app.gateway.compress, reader.diagnostics());
  }
  reader.flag("buffering", app.gateway.buffering);
  reader.flag("buffer_responses", app.gateway.buffer_responses);
  if (const auto json = reader.parsed("access_log", parse_access_log)) app.gateway.json_access_log = *json;
  if (const Node* statics = reader.find("static")) read_statics(*statics, app, reader.diagnostics());
  if (const auto value = reader.parsed("cache_control", parse_cache_control)) {
    for (auto& options : app.gateway.statics) {
      if (options.cache_control.empty()) options.cache_control = *value;
    }
  }
}

}  // namespace rowhouse::config
