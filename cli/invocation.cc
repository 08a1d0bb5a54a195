#include "cli/invocation.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "base/printable.h"
#include "cli/suggestion.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxNameBytes = 63;
constexpr std::size_t kMaxLines = 10'000;
constexpr std::size_t kMaxEvents = 1000;  // of one page

struct CommandWord {
  std::string_view word;
  Command command;
  const char* help;
};
constexpr CommandWord kCommands[] = {
    {"status", Command::kStatus, "Show the apps that you may see, a tenant's, or one"},
    {"start", Command::kStart, "Start a stopped app and wait until it serves"},
    {"stop", Command::kStop, "Stop an app; it stays stopped until it is started"},
    {"restart", Command::kRestart, "Restart an app without losing a request and wait for the outcome"},
    {"stacks", Command::kStacks, "Have an app's workers write their Python stacks to its log; they go on"},
    {"logs", Command::kLogs, "Show an app's log"},
    {"check", Command::kCheck, "Check configuration files; no daemon is needed"},
    {"reload", Command::kReload, "Read the configuration again, of the host or of one tenant, and apply it to what runs"},
    {"upgrade", Command::kUpgrade, "Put the programs on disk in the place of those that run; no request is lost"},
    {"doctor", Command::kDoctor, "Say what this host lacks to run Rowhouse; no daemon is needed"},
    {"explain", Command::kExplain, "Say why an app fails, or what an error id stands for"},
    {"events", Command::kEvents, "Show what happened"},
    {"info", Command::kInfo, "Show the daemon's version and what it offers"},
};

bool is_name(std::string_view text) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxNameBytes && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_word(c) || c == '-'; });
}

Refusal usage(const std::string& sentence) {
  return {"", "rowhouse: " + sentence + "\nTry \"rowhouse --help\".\n", ExitCode::kUsage};
}

Refusal unknown_command(const std::string& word) {
  std::vector<std::string_view> words;
  for (const CommandWord& known : kCommands) words.push_back(known.word);
  const std::string_view near = suggest(word, words);
  std::string sentence = "unknown command \"" + terminal_safe(word) + "\"";
  if (!near.empty()) sentence += "; did you mean \"" + std::string(near) + "\"?";
  return usage(sentence);
}

// CLI11's own variables.
struct Flags {
  bool json = false;
  bool follow = false;
  bool access = false;
  bool raw = false;
  bool hard = false;
  std::string subject;
};

void add_event_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("SUBJECT", flags.subject, "TENANT or TENANT/APP");
  command.add_flag("-f,--follow", flags.follow, "Go on with new events until interrupted");
  command.add_option("--since", found.events.since, "The events after this number");
  command.add_option("-n,--count", found.events.count, "How many at most")->check(CLI::Range(std::size_t{1}, kMaxEvents));
}

// 16 hex digits: what an answer's Rowhouse-Error field has.
bool is_error_id(std::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void add_command(CLI::App& app, const CommandWord& known, Invocation& found, Flags& flags) {
  CLI::App* command = app.add_subcommand(std::string(known.word), known.help);
  command->fallthrough();
  command->callback([&found, &known] { found.command = known.command; });
  if (known.command == Command::kStatus)
    command->add_option("SUBJECT", flags.subject, "TENANT or TENANT/APP");
  if (known.command == Command::kReload) command->add_option("TENANT", flags.subject, "One tenant alone");
  if (known.command == Command::kCheck) {
    command->add_option("FILE", found.check.files, "The files")->required();
    command->add_option("--kind", found.check.kind, "What the files are")
        ->check(CLI::IsMember({"auto", "host", "tenant", "manifest"}));
    command->add_option("--home", found.check.home, "Compare a manifest with the files below this home");
  }
  if (known.command == Command::kDoctor) command->add_option("--config", found.config, "The host file");
  const bool on_app = known.command == Command::kStart || known.command == Command::kStop ||
                      known.command == Command::kRestart || known.command == Command::kStacks ||
                      known.command == Command::kLogs;
  if (on_app) command->add_option("SUBJECT", flags.subject, "TENANT/APP")->required();
  if (known.command == Command::kRestart) command->add_flag("--hard", flags.hard, "End at once what serves, then start");
  if (known.command == Command::kExplain) command->add_option("SUBJECT", flags.subject, "TENANT/APP, or the ID of a Rowhouse-Error field")->required();
  if (known.command == Command::kEvents) add_event_options(*command, found, flags);
  if (known.command != Command::kLogs) return;
  command->add_flag("-f,--follow", flags.follow, "Go on with new lines until interrupted");
  command->add_option("-n,--lines", found.logs.lines, "How many of the last lines")
      ->check(CLI::Range(std::size_t{0}, kMaxLines));
  command->add_flag("--access", flags.access, "The access log");
  command->add_flag("--raw", flags.raw, "The bytes as the app wrote them; not safe for a terminal");
}

std::optional<Refusal> take_flags(const Flags& flags, Invocation& found) {
  if (flags.json) found.output = Output::kJson;
  if (flags.follow) found.logs.end = LogOptions::End::kFollow;
  if (flags.follow) found.events.end = EventOptions::End::kFollow;
  if (flags.access) found.logs.stream = LogOptions::Stream::kAccess;
  if (flags.raw) found.logs.form = LogOptions::Form::kRaw;
  if (flags.hard) found.restart = RestartWay::kHard;
  if (flags.subject.empty()) return std::nullopt;
  if (found.command == Command::kExplain && is_error_id(flags.subject)) {
    found.error_id = flags.subject;
    return std::nullopt;
  }
  const auto subject = parse_subject(flags.subject);
  if (!subject) return usage("\"" + terminal_safe(flags.subject) + "\" is not TENANT or TENANT/APP");
  if (found.command == Command::kReload && !subject->app.empty()) {
    return usage("\"" + subject->text() + "\" names an app; this command needs TENANT");
  }
  const bool takes_tenant = found.command == Command::kStatus || found.command == Command::kReload ||
                            found.command == Command::kEvents;
  if (!takes_tenant && subject->app.empty()) {
    return usage("\"" + subject->tenant + "\" names a tenant; this command needs TENANT/APP");
  }
  found.subject = *subject;
  return std::nullopt;
}

std::optional<Refusal> parse_with(CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend() - 1);
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return Refusal{chosen.empty() ? app.help() : chosen[0]->help("rowhouse"), "", ExitCode::kDone};
  } catch (const CLI::CallForVersion& version) {
    return Refusal{std::string(version.what()) + "\n", "", ExitCode::kDone};
  } catch (const CLI::ParseError& error) {
    return usage(terminal_safe(error.what()));
  }
  const std::vector<std::string> extra = app.remaining();
  if (app.get_subcommands().empty()) {
    return extra.empty() ? Refusal{"", app.help(), ExitCode::kUsage} : unknown_command(extra[0]);
  }
  if (!extra.empty()) return usage("unexpected argument \"" + terminal_safe(extra[0]) + "\"");
  return std::nullopt;
}

}  // namespace

std::variant<Invocation, Refusal> parse_arguments(const std::vector<std::string>& arguments,
                                                  const std::string& socket_variable) {
  Invocation found;
  Flags flags;
  found.socket = socket_variable.empty() ? kDefaultSocket : socket_variable;
  found.config = kDefaultConfig;
  CLI::App app("Rowhouse runs many customers' web applications on one host.", "rowhouse");
  app.set_version_flag("--version", "rowhouse " ROWHOUSE_VERSION);
  app.add_option("--socket", found.socket, "The daemon's socket (or ROWHOUSE_SOCKET)");
  app.add_flag("--json", flags.json, "JSON with the fields of the API");
  app.allow_extras();
  app.require_subcommand(0, 1);
  for (const CommandWord& known : kCommands) add_command(app, known, found, flags);
  if (auto refusal = parse_with(app, arguments)) return *refusal;
  if (auto refusal = take_flags(flags, found)) return *refusal;
  return found;
}

std::optional<Subject> parse_subject(std::string_view text) {
  const std::size_t slash = text.find('/');
  const Subject subject{std::string(text.substr(0, slash)),
                        slash == std::string_view::npos ? "" : std::string(text.substr(slash + 1))};
  const bool app_ok = slash == std::string_view::npos || is_name(subject.app);
  if (!is_name(subject.tenant) || !app_ok) return std::nullopt;
  return subject;
}

}  // namespace rowhouse::cli
