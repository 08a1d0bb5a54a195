#include "cli/init/manifest_text.h"

#include <fmt/format.h>

namespace rowhouse::cli {
namespace {

// As a YAML scalar: found names may hold what YAML would read otherwise.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string line(const std::string& key, const std::string& value, const char* comment) {
  const std::string said = fmt::format("    {}: {}", key, value);
  return fmt::format("{:<44} # {}\n", said, comment);
}

}  // namespace

std::string manifest_text(const FoundApp& app, const std::string& name, const std::vector<std::string>& domains) {
  std::string text = fmt::format(
      "# What this home serves; written by rowhouse init, yours from now on.  All keys: man rowhouse-manifest\n"
      "# A change is noticed within seconds.  Before: rowhouse check rowhouse.yaml\n\n"
      "apps:\n  {}:\n    routes:                                  # where it answers\n", name);
  for (const std::string& domain : domains) text += "      - " + quoted(domain) + "\n";
  text += line(app.interface, quoted(app.callable), fmt::format("{}, found in {}", app.what, app.found_in).c_str());
  if (app.factory) text += line("factory", "true", "it returns the app");
  if (!app.directory.empty()) text += line("directory", quoted(app.directory), "where it runs, first on Python's path");
  if (!app.python.empty()) text += line("python", quoted(app.python), "the version of the virtualenv");
  if (!app.virtualenv.empty()) text += line("virtualenv", quoted(app.virtualenv), "its packages");
  if (!app.static_root.empty()) {
    text += "    static:                                  # sent without the app; run collectstatic first\n";
    text += fmt::format("      /static/: {}\n", quoted(app.static_root));
  }
  text += "\n    # Without the mark at its beginning a line below is in force; each shows the default or an example.\n";
  if (app.static_root.empty()) text += "    # static: { /static/: public }           # files that are sent without the app\n";
  text +=
      "    # env: { DEBUG: \"0\" }                    # environment variables\n"
      "    # workers: { min: 1, max: 1 }            # processes; min 0: started by the first request\n";
  if (app.interface == "wsgi") text += "    # threads: 1                             # of each worker; more only when the app is thread-safe\n";
  text +=
      "    # reload: touch                          # restart when tmp/restart.txt or the app's first file is touched\n"
      "    # health: { path: / }                    # asked of new workers before they replace others\n"
      "    # timeouts: { request: 60s }\n";
  return text;
}

}  // namespace rowhouse::cli
