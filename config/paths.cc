#include "config/paths.h"

#include <algorithm>

#include "config/characters.h"
#include "config/diagnostics.h"
#include "proto/limits.h"

namespace rowhouse::config {
namespace {

// "a//b/./c/" -> "a/b/c"; a problem when a component is ".." or a byte is a control character.
Parsed<std::string> join_components(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control))
    return Problem{"must not contain control characters"};
  std::string joined;
  while (!text.empty()) {
    const std::string_view component = text.substr(0, text.find('/'));
    if (component == "..") return Problem{"must not contain \"..\""};
    if (!component.empty() && component != ".") {
      if (!joined.empty()) joined += '/';
      joined += component;
    }
    text.remove_prefix(std::min(component.size() + 1, text.size()));
  }
  return joined;
}

bool are_identifiers(std::string_view dotted) {
  for (;;) {
    const std::size_t dot = dotted.find('.');
    if (!is_identifier(dotted.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    dotted.remove_prefix(dot + 1);
  }
}

std::string length_problem() {
  return "must be a path of 1 to " + std::to_string(proto::kMaxPathBytes) + " bytes";
}

}  // namespace

Parsed<std::string> parse_absolute_path(std::string_view text) {
  if (text.empty() || text.size() > proto::kMaxPathBytes) return Problem{length_problem()};
  if (text[0] != '/') return Problem{"must be an absolute path, not " + quote(text)};
  const Parsed<std::string> joined = join_components(text);
  if (!joined.ok()) return Problem{joined.problem() + ", as " + quote(text) + " does"};
  if (joined.value().empty()) return Problem{"must not be the root directory"};
  return "/" + joined.value();
}

Parsed<std::string> parse_relative_path(std::string_view text) {
  if (text.empty() || text.size() > proto::kMaxPathBytes) return Problem{length_problem()};
  if (text[0] == '/') return Problem{"must be relative to the home, not the absolute path " + quote(text)};
  const Parsed<std::string> joined = join_components(text);
  if (!joined.ok()) return Problem{joined.problem() + ", as " + quote(text) + " does"};
  return joined.value().empty() ? std::string(".") : joined.value();
}

Parsed<Callable> parse_callable(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view module = text.substr(0, colon), attribute = text.substr(colon + 1);
    if (are_identifiers(module) && are_identifiers(attribute)) {
      return Callable{proto::CallableKind::kModule, std::string(module), std::string(attribute)};
    }
    return Problem{
        "must have dotted Python names on both sides of the \":\", such as \"blog.wsgi:application\", not " +
        quote(text)};
  }
  if (!text.ends_with(".wsgi") && !text.ends_with(".py")) {
    return Problem{"must be \"module:callable\" or a script file that ends with .wsgi or .py, not " +
                   quote(text)};
  }
  const Parsed<std::string> script = parse_relative_path(text);
  if (!script.ok()) return Problem{script.problem()};
  return Callable{proto::CallableKind::kScript, script.value(), "application"};
}

}  // namespace rowhouse::config
