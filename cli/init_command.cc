#include "cli/init_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "cli/api_client.h"
#include "cli/check_command.h"
#include "cli/init/app_finder.h"
#include "cli/init/manifest_text.h"
#include "cli/report.h"

namespace rowhouse::cli {
namespace {

namespace fs = std::filesystem;

ExitCode fail(const std::string& sentence) {
  print_error(sentence);
  return ExitCode::kFailed;
}

std::string text_in(const nlohmann::json& list) {
  return list.is_string() ? list.get<std::string>() : "";
}

// Of the one tenant that the caller sees; nothing when there is no daemon, or more tenants.
std::vector<std::string> own_domains(const std::string& socket) {
  const ApiClient api(socket);
  const auto tenants = nlohmann::json::parse(api.get("/v1/tenants?limit=2").body, nullptr, false);
  if (!tenants.is_object() || !tenants.contains("tenants") || tenants["tenants"].size() != 1) return {};
  const std::string name = text_at(tenants["tenants"][0], "tenant");
  if (!parse_subject(name)) return {};
  const auto tenant = nlohmann::json::parse(api.get("/v1/tenants/" + name).body, nullptr, false);
  std::vector<std::string> domains;
  if (!tenant.is_object() || !tenant.contains("tenant") || !tenant["tenant"].contains("domains")) return {};
  for (const auto& domain : tenant["tenant"]["domains"]) {
    const std::string text = text_in(domain);
    // A wildcard is a right and no address.
    if (!text.empty() && text[0] != '*' && domains.size() < 8) domains.push_back(text);
  }
  return domains;
}

// A name of letters, digits and hyphens out of a directory's.
std::string app_name(const FoundApp& app) {
  std::string name;
  for (const char c : fs::path(app.directory).filename().string()) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool word = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9');
    if (word) name += small;
    if (!word && !name.empty() && name.back() != '-') name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "site" : name.substr(0, 32);
}

// Never over a file that is there already.  0, or what errno was.
int write_new(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file.valid()) return errno;
  const Status written = write_all(file.get(), text);
  return written.ok() ? 0 : errno;
}

ExitCode report_choice(const std::vector<FoundApp>& apps, const std::string& directory) {
  if (apps.empty()) {
    return fail("no app was found in " + terminal_safe(directory) +
                " or the directories in it: manage.py, passenger_wsgi.py, a .wsgi file, or a module with Flask(, FastAPI( or "
                "Starlette( would be one. The smallest manifest is in \"man rowhouse-manifest\"");
  }
  std::string sentence = "several apps were found; say which directory:";
  for (const FoundApp& app : apps) sentence += fmt::format("\n  rowhouse init {}   ({})", terminal_safe(app.directory), app.what);
  return fail(sentence);
}

}  // namespace

ExitCode run_init(const Invocation& invocation) {
  const InitOptions& init = invocation.init;
  const char* variable = std::getenv("HOME");
  std::error_code error;
  const fs::path home = fs::canonical(init.home.empty() && variable != nullptr ? variable : init.home, error);
  if (error) return fail("the home cannot be found; say it with --home");
  const fs::path directory = init.directory.empty() ? home : fs::canonical(init.directory, error);
  const bool below = !error && std::mismatch(home.begin(), home.end(), directory.begin(), directory.end()).first == home.end();
  if (!below) return fail("\"" + terminal_safe(init.directory) + "\" is no directory in " + terminal_safe(home.string()));
  const std::vector<FoundApp> apps = find_apps(home.string(), directory.string());
  if (apps.size() != 1) return report_choice(apps, directory.string());
  std::vector<std::string> domains = init.domains;
  if (domains.empty()) domains = own_domains(invocation.socket);
  if (domains.empty()) return fail("your domains are not known here: say them with --domain");
  const std::string text = manifest_text(apps[0], app_name(apps[0]), domains);
  if (invocation.order.trial) {
    print(text);
    return ExitCode::kDone;
  }
  const std::string path = (home / "rowhouse.yaml").string();
  const int problem = write_new(path, text);
  if (problem == EEXIST) return fail(terminal_safe(path) + " is there already; --dry-run prints what it would become");
  if (problem != 0) return fail("cannot write " + terminal_safe(path) + ": " + std::strerror(problem));
  Invocation check = invocation;
  check.check = {{path}, "manifest", home.string()};
  return run_check(check);
}

}  // namespace rowhouse::cli
