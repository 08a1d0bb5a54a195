#include "cli/init/app_finder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <sstream>

namespace rowhouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFileBytes = 256 * 1024;
constexpr std::size_t kMaxFiles = 200;        // of one directory
constexpr std::size_t kMaxDirectories = 100;  // that are looked into

std::string read(const fs::path& path) {
  std::error_code ignored;
  if (fs::symlink_status(path, ignored).type() != fs::file_type::regular) return "";
  if (fs::file_size(path, ignored) > kMaxFileBytes || ignored) return "";
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_plain_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() == fs::file_type::directory;
}

// In the order of their names, so that the same files are found twice.
std::vector<fs::path> list(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator entry(directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::directory_iterator() && paths.size() < 10 * kMaxFiles; entry.increment(error)) {
    paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::optional<std::string> first_group(const std::string& text, const char* pattern) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(pattern, std::regex::multiline))) return std::nullopt;
  return match[1].str();
}

bool has(const std::string& text, const char* pattern) {
  return std::regex_search(text, std::regex(pattern, std::regex::multiline));
}

std::string dotted(std::string module) {
  std::replace(module.begin(), module.end(), '/', '.');
  return module;
}

class Finder {
 public:
  explicit Finder(fs::path home) : home_(std::move(home)) {}

  std::optional<FoundApp> look(const fs::path& directory) const {
    std::optional<FoundApp> app = find_django(directory);
    if (!app) app = find_script(directory);
    if (!app) app = find_in_modules(directory);
    if (app) find_virtualenv(directory, *app);
    return app;
  }

 private:
  std::string below_home(const fs::path& path) const {
    const std::string relative = path.lexically_relative(home_).generic_string();
    return relative == "." ? "" : relative;
  }

  FoundApp make(const char* what, const char* interface, std::string callable, const fs::path& directory, const fs::path& file) const {
    FoundApp app;
    app.what = what;
    app.interface = interface;
    app.callable = std::move(callable);
    app.directory = below_home(directory);
    app.found_in = below_home(file);
    return app;
  }

  std::optional<FoundApp> find_django(const fs::path& directory) const {
    const std::string manage = read(directory / "manage.py");
    const auto settings = first_group(manage, R"re(DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["'])re");
    if (!settings) return std::nullopt;
    const std::string package = settings->substr(0, settings->find('.'));
    FoundApp app = make("Django", "wsgi", package + ".wsgi:application", directory, directory / "manage.py");
    std::string path = *settings;
    std::replace(path.begin(), path.end(), '.', '/');
    const std::string text = read(directory / (path + ".py"));
    // BASE_DIR / "static", or os.path.join(BASE_DIR, "static"): BASE_DIR is where manage.py lies.
    if (const auto root = first_group(text, R"re(^STATIC_ROOT\s*=\s*\(?\s*(?:os\.path\.join\(\s*)?BASE_DIR\s*[/,]\s*["']([\w.-]+)["'])re")) {
      app.static_root = below_home(directory / *root);
    }
    return app;
  }

  std::optional<FoundApp> find_script(const fs::path& directory) const {
    const fs::path passenger = directory / "passenger_wsgi.py";
    if (has(read(passenger), R"re(^(?:application\s*=|def application\(|from .* import .*\bapplication\b|class application\b))re")) {
      return make("script file", "wsgi", below_home(passenger), directory, passenger);
    }
    for (const fs::path& path : list(directory)) {
      if (path.extension() == ".wsgi" && has(read(path), R"re(\bapplication\b)re")) {
        return make("script file", "wsgi", below_home(path), directory, path);
      }
    }
    return std::nullopt;
  }

  // Names that are usual for the file that makes the app come before the others.
  std::optional<FoundApp> find_in_modules(const fs::path& directory) const {
    std::vector<fs::path> files;
    for (const char* usual : {"asgi.py", "wsgi.py", "app.py", "main.py", "application.py", "app/main.py", "app/__init__.py"}) files.push_back(directory / usual);
    for (const fs::path& path : list(directory)) {
      if (path.extension() == ".py" && files.size() < kMaxFiles) files.push_back(path);
    }
    for (const fs::path& file : files) {
      if (auto app = find_in_module(directory, file)) return app;
    }
    return std::nullopt;
  }

  std::optional<FoundApp> find_in_module(const fs::path& directory, const fs::path& file) const {
    constexpr struct { const char *what, *interface; } kFrameworks[] = {{"FastAPI", "asgi"}, {"Starlette", "asgi"}, {"Flask", "wsgi"}};
    const std::string text = read(file);
    if (text.empty()) return std::nullopt;
    std::string module = file.lexically_relative(directory).replace_extension().generic_string();
    if (module.ends_with("/__init__")) module.resize(module.size() - 9);
    for (const auto& framework : kFrameworks) {
      const std::string name = framework.what;
      if (const auto variable = first_group(text, (R"re(^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)?)re" + name + R"re(\()re").c_str())) {
        return make(framework.what, framework.interface, dotted(module) + ":" + *variable, directory, file);
      }
      const auto factory = first_group(text, R"re(^def (create_app|make_app|app_factory)\(\s*\))re");
      if (factory && has(text, ("\\b" + name + R"re(\()re").c_str())) {
        FoundApp app = make(framework.what, framework.interface, dotted(module) + ":" + *factory, directory, file);
        app.factory = true;
        return app;
      }
    }
    return std::nullopt;
  }

  void find_virtualenv(const fs::path& directory, FoundApp& app) const {
    for (const fs::path& place : {directory, home_}) {
      for (const char* usual : {".venv", "venv", "env", "virtualenv"}) {
        const std::string text = is_plain_directory(place / usual) ? read(place / usual / "pyvenv.cfg") : "";
        if (text.empty()) continue;
        app.virtualenv = below_home(place / usual);
        app.python = first_group(text, R"re(^version(?:_info)?\s*=\s*(\d+\.\d+))re").value_or("");
        return;
      }
    }
  }

  fs::path home_;
};

}  // namespace

std::vector<FoundApp> find_apps(const std::string& home, const std::string& directory) {
  const Finder finder{fs::path(home)};
  std::vector<FoundApp> apps;
  if (auto app = finder.look(directory)) return {*app};
  std::size_t looked = 0;
  for (const fs::path& path : list(directory)) {
    if (path.filename().string().starts_with('.') || !is_plain_directory(path) || ++looked > kMaxDirectories) continue;
    if (auto app = finder.look(path)) apps.push_back(*app);
  }
  return apps;
}

}  // namespace rowhouse::cli
