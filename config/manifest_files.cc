#include "config/manifest_files.h"

#include "base/files.h"
#include "config/safe_open.h"

namespace rowhouse::config {
namespace {

constexpr std::size_t kMaxPageBytes = 48 * 1024;

void report(const ManifestPath& named, std::string_view subject, const std::string& predicate,
            Diagnostics& diagnostics) {
  diagnostics.add(named.position,
                  std::string(subject) + " names " + quote(named.path) + ", which " + predicate);
}

void check_directory(const App& app, int home, Diagnostics& diagnostics) {
  const auto opened = open_directory_below(home, app.directory.path);
  if (!opened.ok()) report(app.directory, "\"directory\"", opened.problem(), diagnostics);
}

std::string_view callable_key(const App& app) {
  switch (app.part.interface) {
    case proto::Interface::kAsgi:
      return "asgi";
    case proto::Interface::kDetect:
      return "app";
    case proto::Interface::kWsgi:
      break;
  }
  return "wsgi";
}

void check_script(const App& app, int home, Diagnostics& diagnostics) {
  if (app.script.path.empty()) return;
  const auto opened = open_file_below(home, app.script.path);
  if (opened.ok()) return;
  std::string problem = opened.problem();
  const std::string beside = app.directory.path + "/" + app.script.path;
  if (app.directory.path != "." && open_file_below(home, beside).ok()) {
    problem += "; it is relative to the home: did you mean " + quote(beside) + "?";
  }
  report(app.script, quote(callable_key(app)), problem, diagnostics);
}

void check_virtualenv(const App& app, int home, Diagnostics& diagnostics) {
  if (app.virtualenv.path.empty()) return;
  const auto directory = open_directory_below(home, app.virtualenv.path);
  if (!directory.ok()) {
    report(app.virtualenv, "\"virtualenv\"", directory.problem(), diagnostics);
    return;
  }
  const auto configuration = open_file_below(home, app.virtualenv.path + "/pyvenv.cfg");
  if (configuration.ok()) return;
  report(app.virtualenv, "\"virtualenv\"", "is no virtualenv: its pyvenv.cfg " + configuration.problem(),
         diagnostics);
}

std::string absolute(const std::string& home, const std::string& path) {
  return path == "." ? home : home + "/" + path;
}

}  // namespace

void read_page_files(App& app, const Home& home, Diagnostics& diagnostics) {
  for (const PageEntry& page : app.pages) {
    const auto file = open_file_below(home.directory.get(), page.file.path);
    if (!file.ok()) {
      report(page.file, "\"error_pages\"", file.problem(), diagnostics);
      continue;
    }
    const auto html = read_all(file.value().get(), kMaxPageBytes);
    if (html.ok()) {
      app.gateway.pages.push_back({page.first_status, page.last_status, html.value()});
    } else {
      report(page.file, "\"error_pages\"", "cannot be read or has more than 48 KiB", diagnostics);
    }
  }
}

std::vector<UniqueFd> open_app_files(const App& app, const Home& home, Diagnostics& diagnostics) {
  const int directory = home.directory.get();
  check_directory(app, directory, diagnostics);
  check_script(app, directory, diagnostics);
  check_virtualenv(app, directory, diagnostics);
  std::vector<UniqueFd> statics;
  for (const StaticEntry& entry : app.statics) {
    auto opened = open_owned_directory_below(directory, entry.directory.path, home.owner);
    if (opened.ok()) {
      statics.push_back(opened.take());
    } else {
      report(entry.directory, quote(entry.prefix.view()), opened.problem(), diagnostics);
    }
  }
  return statics;
}

proto::WorkerPart complete_worker_part(const App& app, const std::string& home) {
  proto::WorkerPart part = app.part;
  part.home = home;
  part.directory = absolute(home, app.directory.path);
  if (!app.virtualenv.path.empty()) part.virtualenv = absolute(home, app.virtualenv.path);
  if (part.kind == proto::CallableKind::kScript) part.module = absolute(home, app.script.path);
  return part;
}

}  // namespace rowhouse::config
