#include "cli/invocation.h"

#include <algorithm>

#include "base/printable.h"
#include "cli/command_line.h"
#include "cli/suggestion.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxNameBytes = 63;

bool is_name(std::string_view text) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxNameBytes && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_word(c) || c == '-'; });
}

Refusal usage(const std::string& sentence) {
  return {"", "rowhouse: " + sentence + "\nTry \"rowhouse --help\".\n", ExitCode::kUsage};
}

Refusal unknown_command(const std::string& word) {
  const std::vector<std::string_view> words = command_words();
  const std::string_view near = suggest(word, words);
  std::string sentence = "unknown command \"" + terminal_safe(word) + "\"";
  if (!near.empty()) sentence += "; did you mean \"" + std::string(near) + "\"?";
  return usage(sentence);
}

// A hook that is named only where one is needed.
std::optional<Refusal> take_hook(const Flags& flags, Invocation& found) {
  HookOptions& hook = found.hooks;
  if (flags.action == "set") hook.action = HookOptions::Action::kSet;
  if (flags.action == "remove") hook.action = HookOptions::Action::kRemove;
  const bool lists = hook.action == HookOptions::Action::kList;
  if (lists && !hook.name.empty()) return usage("list needs no name");
  if (!lists && !is_name(hook.name)) return usage("\"" + terminal_safe(hook.name) + "\" is not the name of a hook");
  const bool sets = hook.action == HookOptions::Action::kSet;
  if (sets && hook.url.empty() && hook.program.empty()) return usage("set needs --url or --exec");
  return std::nullopt;
}

// 16 hex digits: what an answer's Rowhouse-Error field has.
bool is_error_id(std::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_operation_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

std::optional<Refusal> check_tenant_options(const Invocation& found) {
  if (found.command == Command::kOp && !is_operation_id(found.op)) return usage("\"" + terminal_safe(found.op) + "\" is no id of an order");
  if (found.command != Command::kTenant || found.tenant.action == "list") return std::nullopt;
  if (is_name(found.tenant.name)) return std::nullopt;
  if (found.tenant.name.empty()) return usage("tenant " + found.tenant.action + " needs the tenant's name");
  return usage("\"" + terminal_safe(found.tenant.name) + "\" is no tenant's name");
}

std::optional<Refusal> take_flags(const Flags& flags, Invocation& found) {
  if (flags.json) found.output = Output::kJson;
  if (flags.follow) found.logs.end = LogOptions::End::kFollow;
  if (flags.follow) found.events.end = EventOptions::End::kFollow;
  if (flags.access) found.logs.stream = LogOptions::Stream::kAccess;
  if (flags.raw) found.logs.form = LogOptions::Form::kRaw;
  if (flags.csv) found.usage.form = UsageOptions::Form::kCsv;
  // A program that reads JSON has no keys to press.
  if (flags.once || flags.json) found.top.end = TopOptions::End::kOnce;
  if (found.command == Command::kHooks) return take_hook(flags, found);
  if (flags.hard) found.restart = RestartWay::kHard;
  if (flags.no_wait) found.order.waits = false;
  if (auto refusal = check_tenant_options(found)) return refusal;
  if (flags.subject.empty()) return std::nullopt;
  if (found.command == Command::kExplain && is_error_id(flags.subject)) {
    found.error_id = flags.subject;
    return std::nullopt;
  }
  const auto subject = parse_subject(flags.subject);
  if (!subject) return usage("\"" + terminal_safe(flags.subject) + "\" is not TENANT or TENANT/APP");
  const bool whole_tenant = found.command == Command::kReload || found.command == Command::kUsage ||
                            found.command == Command::kApply || found.command == Command::kAudit;
  if (whole_tenant && !subject->app.empty()) {
    return usage("\"" + subject->text() + "\" names an app; this command needs TENANT");
  }
  const bool takes_tenant = whole_tenant || found.command == Command::kStatus || found.command == Command::kEvents ||
                            found.command == Command::kTop;
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
  CLI::App app;
  define_program(app, found, flags);
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
