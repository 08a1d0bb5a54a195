#include "cli/command_line.h"

#include <map>

#include "cli/command_sheet.h"

namespace rowhouse::cli {
namespace {

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
    {"top", Command::kTop, "Show live what the apps do: requests, latency, CPU, memory, disk"},
    {"usage", Command::kUsage, "Show or export what each tenant used in a period"},
    {"metrics", Command::kMetrics, "Print the metrics as Prometheus reads them"},
    {"hooks", Command::kHooks, "Show, set or remove hooks, to which events are brought"},
    {"tenant", Command::kTenant, "List, show, create, change, suspend, unsuspend or remove tenants"},
    {"apply", Command::kApply, "Make a file the manifest of a tenant, when it is good"},
    {"audit", Command::kAudit, "Show who ordered what through the API"},
    {"op", Command::kOp, "Show what became of an order that was not waited for"},
    {"init", Command::kInit, "Write a manifest for the app that is found in your home"},
    {"completion", Command::kCompletion, "Print the completion of this command for a shell"},
    {"info", Command::kInfo, "Show the daemon's version and what it offers"},
};

void add_event_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("SUBJECT", flags.subject, "TENANT or TENANT/APP");
  command.add_flag("-f,--follow", flags.follow, "Go on with new events until interrupted");
  command.add_option("--since", found.events.since, "The events after this number");
  command.add_option("-n,--count", found.events.count, "How many at most")->check(CLI::Range(std::size_t{1}, kMaxEvents));
}

void add_usage_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("TENANT", flags.subject, "One tenant alone");
  CLI::Option* period = command.add_option("--period", found.usage.period,
                                           "2026-10, 2026-10-05, or the last hours or days: 24h (the default), 30d");
  command.add_option("--from", found.usage.from, "2026-10-05 or 2026-10-05T13:00:00Z")->excludes(period);
  command.add_option("--to", found.usage.to, "The first day or hour that is not meant any more")->excludes(period);
  command.add_option("--step", found.usage.step, "One line for each hour, each day, or in total")
      ->check(CLI::IsMember({"hour", "day", "total"}));
  command.add_flag("--csv", flags.csv, "Comma-separated values");
}

void add_top_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("SUBJECT", flags.subject, "TENANT or TENANT/APP");
  command.add_flag("--once", flags.once, "Measure once, print, end");
  command.add_option("--sort", found.top.order, "What comes first")
      ->check(CLI::IsMember({"cpu", "memory", "requests", "latency", "io", "queue", "name"}));
  command.add_option("--interval", found.top.interval_s, "Seconds between two measurements")
      ->check(CLI::Range(1U, 60U));
}

void add_hook_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("ACTION", flags.action, "list (the default), set or remove")
      ->check(CLI::IsMember({"list", "set", "remove"}));
  command.add_option("NAME", found.hooks.name, "Of the hook to set or to remove");
  CLI::Option* url = command.add_option("--url", found.hooks.url, "http://127.0.0.1:PORT/PATH or unix:/SOCKET:/PATH");
  command.add_option("--exec", found.hooks.program, "A program and its arguments; the events are on its standard input")
      ->excludes(url);
  command.add_option("--type", found.hooks.types, "Events of this type alone; may be said again")->allow_extra_args(false);
  command.add_option("--tenant", found.hooks.tenants, "Events of this tenant alone; may be said again")->allow_extra_args(false);
}

void add_order_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_flag("--dry-run", found.order.trial, "Check everything and write nothing");
  command.add_flag("--no-wait", flags.no_wait, "Say an id to follow instead of waiting for the outcome");
}

void add_tenant_options(CLI::App& command, Invocation& found, Flags& flags) {
  TenantOptions& tenant = found.tenant;
  command.add_option("ACTION", tenant.action, "What to do")
      ->check(CLI::IsMember({"list", "show", "create", "set", "suspend", "unsuspend", "remove"}));
  command.add_option("TENANT", tenant.name, "Its name");
  command.add_option("--user", tenant.user, "A user of this host");
  command.add_option("--uid", tenant.uid, "Instead of --user, with --gid and --home");
  command.add_option("--gid", tenant.gid, "Its group");
  command.add_option("--home", tenant.home, "Its home");
  command.add_option("--plan", tenant.plan, "Its plan");
  command.add_option("--domain", tenant.domains, "One of all its domains; again for more");
  command.add_flag("--no-domains", tenant.no_domains, "It has no domains");
  command.add_option("--manifest", tenant.manifest, "The manifest's path below the home");
  command.add_option("--reason", tenant.reason, "Of a suspension");
  command.add_flag("--purge", tenant.purge, "Remove its logs and history too");
  add_order_options(command, found, flags);
}

void add_audit_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("TENANT", flags.subject, "Orders about this tenant alone");
  command.add_option("--since", found.events.since, "The orders after this number");
  command.add_option("-n,--count", found.events.count, "How many at most")->check(CLI::Range(std::size_t{1}, kMaxEvents));
}

void add_apply_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_option("TENANT", flags.subject, "Whose manifest")->required();
  command.add_option("FILE", found.apply_file, "The new manifest")->required();
  add_order_options(command, found, flags);
}

void add_log_options(CLI::App& command, Invocation& found, Flags& flags) {
  command.add_flag("-f,--follow", flags.follow, "Go on with new lines until interrupted");
  command.add_option("-n,--lines", found.logs.lines, "How many of the last lines")
      ->check(CLI::Range(std::size_t{0}, kMaxLines));
  command.add_flag("--access", flags.access, "The access log");
  command.add_flag("--raw", flags.raw, "The bytes as the app wrote them; not safe for a terminal");
  command.add_option("--since", found.logs.since, "From this time on: 2026-01-31, 2026-01-31T23:59:59Z, or so long ago: 15m, 2h, 7d");
  command.add_option("--until", found.logs.until, "Before this time, said in the same ways");
  command.add_option("--level", found.logs.level, "Lines of this level and above, as far as lines tell")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "critical"}));
  command.add_option("--request", found.logs.request, "Lines with the id of this request");
  command.add_option("--text", found.logs.text, "Lines with this text");
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
  if (on_app) command->add_option("APP", flags.subject, "TENANT/APP")->required();
  if (known.command == Command::kRestart) command->add_flag("--hard", flags.hard, "End at once what serves, then start");
  if (known.command == Command::kExplain) command->add_option("SUBJECT", flags.subject, "TENANT/APP, or the ID of a Rowhouse-Error field")->required();
  if (known.command == Command::kEvents) add_event_options(*command, found, flags);
  if (known.command == Command::kUsage) add_usage_options(*command, found, flags);
  if (known.command == Command::kHooks) add_hook_options(*command, found, flags);
  if (known.command == Command::kTop) add_top_options(*command, found, flags);
  if (known.command == Command::kAudit) add_audit_options(*command, found, flags);
  if (known.command == Command::kTenant) add_tenant_options(*command, found, flags);
  if (known.command == Command::kApply) add_apply_options(*command, found, flags);
  if (known.command == Command::kInit) {
    command->add_option("DIRECTORY", found.init.directory, "Where the app is; else the home and the directories in it");
    command->add_option("--domain", found.init.domains, "One where it shall answer; again for more")->allow_extra_args(false);
    command->add_option("--home", found.init.home, "The home, else what HOME says");
    command->add_flag("--dry-run", found.order.trial, "Print it and write nothing");
  }
  if (known.command == Command::kCompletion) {
    command->add_option("SHELL", found.shell, "Which; or the tenants and apps that can be named")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish", "names"}));
  }
  if (known.command == Command::kOp) {
    command->add_option("ID", found.op, "What the order said")->required();
    command->add_flag("--wait", found.follows_op, "Until it has ended");
  }
  if (known.command == Command::kLogs) add_log_options(*command, found, flags);
}

}  // namespace

std::vector<std::string_view> command_words() {
  std::vector<std::string_view> words;
  for (const CommandWord& known : kCommands) words.push_back(known.word);
  return words;
}

void define_program(CLI::App& app, Invocation& found, Flags& flags) {
  app.description("Rowhouse runs many customers' web applications on one host.");
  app.name("rowhouse");
  app.set_version_flag("--version", "rowhouse " ROWHOUSE_VERSION);
  app.add_option("--socket", found.socket, "The daemon's socket (or ROWHOUSE_SOCKET)");
  app.add_flag("--json", flags.json, "JSON with the fields of the API");
  app.allow_extras();
  app.require_subcommand(0, 1);
  for (const CommandWord& known : kCommands) add_command(app, known, found, flags);
}

}  // namespace rowhouse::cli
