#include "cli/check_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "cli/program_directory.h"
#include "cli/report.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxOutputBytes = 1024 * 1024;

struct LoaderRun {
  std::string output;
  int exit_status = -1;  // -1: it could not be run, or was ended by a signal
  std::string failure;
};

std::vector<std::string> loader_arguments(const CheckOptions& check) {
  std::vector<std::string> arguments = {"rowhouse-loader", "--check", "--kind", check.kind};
  if (!check.home.empty()) arguments.insert(arguments.end(), {"--home", check.home});
  for (const std::string& file : check.files) arguments.push_back(file.starts_with('-') ? "./" + file : file);
  return arguments;
}

int wait_for_exit(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// SECURITY: an absolute path and an environment of our own: nothing of the caller's PATH, LD_*, PYTHON* or
// IFS reaches the loader (test_control_cli.py).
LoaderRun run_loader(const std::string& loader, std::vector<std::string> arguments) {
  LoaderRun run;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {"", -1, std::string("pipe2: ") + std::strerror(errno)};
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin", language[] = "LC_ALL=C.UTF-8";
  char* const environment[] = {path, language, nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, loader.c_str(), &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return {"", -1, loader + ": " + std::strerror(failed)};
  writing.reset();
  const auto output = read_all(reading.get(), kMaxOutputBytes);
  if (output.ok()) run.output = output.value();
  run.exit_status = wait_for_exit(child);
  if (!output.ok()) return {"", -1, "the loader's answer: " + describe(output.error())};
  return run;
}

// Takes the next "NUMBER:" off the front.
std::optional<std::uint32_t> take_number(std::string_view& rest) {
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr == rest.data() + rest.size() || *parsed.ptr != ':')
    return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()) + 1);
  return number;
}

nlohmann::ordered_json parse_sentence(std::string_view line, const std::vector<std::string>& files) {
  const auto begins = [line](const std::string& file) {
    return line.starts_with(file) && line.substr(file.size()).starts_with(':');
  };
  const auto file = std::find_if(files.begin(), files.end(), begins);
  if (file != files.end()) {
    std::string_view rest = line.substr(file->size() + 1);
    const auto line_number = take_number(rest);
    const auto column = line_number ? take_number(rest) : std::nullopt;
    if (column && rest.starts_with(' ')) {
      return {{"file", *file}, {"line", *line_number}, {"column", *column}, {"message", rest.substr(1)}};
    }
  }
  return {
      {"file", file != files.end() ? *file : ""}, {"line", nullptr}, {"column", nullptr}, {"message", line}};
}

template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end != 0) visit(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace

std::string check_json(std::string_view loader_output, const std::vector<std::string>& files) {
  auto errors = nlohmann::ordered_json::array();
  for_each_line(loader_output, [&](std::string_view line) { errors.push_back(parse_sentence(line, files)); });
  nlohmann::ordered_json result{{"valid", errors.empty()}};
  result["errors"] = std::move(errors);
  return result.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

ExitCode run_check(const Invocation& invocation) {
  const std::string programs = find_program_directory();
  if (programs.empty()) {
    print_error("rowhouse-loader is neither beside this program nor in " ROWHOUSE_LIBEXEC);
    return ExitCode::kFailed;
  }
  const std::vector<std::string> arguments = loader_arguments(invocation.check);
  const LoaderRun run = run_loader(programs + "/rowhouse-loader", arguments);
  if (run.exit_status != 0 && run.exit_status != 1) {
    print_error(run.failure.empty() ? "the loader failed" : terminal_safe(run.failure));
    return ExitCode::kFailed;
  }
  const std::size_t options = arguments.size() - invocation.check.files.size();
  const std::vector<std::string> files(arguments.begin() + static_cast<std::ptrdiff_t>(options),
                                       arguments.end());
  if (invocation.output == Output::kJson) {
    print(check_json(run.output, files));
  } else if (run.exit_status == 0) {
    for (const std::string& file : files) print(terminal_safe(file) + ": valid\n");
  } else {
    for_each_line(run.output, [](std::string_view line) { print(terminal_safe(line) + "\n"); });
  }
  return run.exit_status == 0 ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace rowhouse::cli
