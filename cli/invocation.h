// The command line, understood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/exit_code.h"

namespace rowhouse::cli {

enum class Command { kStatus, kStart, kStop, kRestart, kStacks, kLogs, kCheck, kDoctor, kInfo, kReload, kExplain, kEvents, kUpgrade,
                     kMetrics, kUsage, kTop, kHooks,
                     kTenant, kApply, kOp, kAudit, kCompletion, kInit };
enum class Output { kText, kJson };

// "acme" or "acme/site".
struct Subject {
  std::string tenant;
  std::string app;  // empty: the whole tenant
  [[nodiscard]] std::string text() const { return app.empty() ? tenant : tenant + "/" + app; }
};

struct LogOptions {
  enum class Stream { kApp, kAccess } stream = Stream::kApp;
  enum class Form { kSafe, kRaw } form = Form::kSafe;
  enum class End { kStop, kFollow } end = End::kStop;
  std::size_t lines = 100;
  std::string since, until, level, request, text;  // empty: all
};

struct EventOptions {
  enum class End { kStop, kFollow } end = End::kStop;
  std::optional<std::uint64_t> since;  // the first ones after it instead of the last ones
  std::size_t count = 50;
};

struct CheckOptions {
  std::vector<std::string> files;
  std::string kind = "auto";
  std::string home;
};

struct UsageOptions {
  enum class Form { kTable, kCsv } form = Form::kTable;
  std::string period, from, to;  // period and the two others exclude each other
  std::string step = "total";
};

struct TopOptions {
  enum class End { kInterrupt, kOnce } end = End::kInterrupt;
  std::string order = "cpu";
  std::uint32_t interval_s = 2;
};

struct HookOptions {
  enum class Action { kList, kSet, kRemove } action = Action::kList;
  std::string name;
  std::string url;                   // of kSet, or
  std::vector<std::string> program;  // with its arguments
  std::vector<std::string> types, tenants;
};

struct TenantOptions {
  std::string action = "list";  // list, show, create, set, suspend, unsuspend, remove
  std::string name;
  std::string user, home, plan, manifest, reason;
  std::optional<std::uint32_t> uid, gid;
  std::vector<std::string> domains;
  bool no_domains = false;
  bool purge = false;
};

struct InitOptions {
  std::string directory;  // where the app is; empty: the home
  std::string home;       // empty: HOME's
  std::vector<std::string> domains;
};

// Of every command that writes.
struct OrderOptions {
  bool trial = false;  // nothing is written
  bool waits = true;
};

enum class RestartWay { kRolling, kHard };

struct Invocation {
  Command command = Command::kStatus;
  Output output = Output::kText;
  std::string socket;
  Subject subject;
  RestartWay restart = RestartWay::kRolling;
  LogOptions logs;
  EventOptions events;
  std::string error_id;  // of explain, instead of a subject
  CheckOptions check;
  std::string config;  // of doctor: the host file
  UsageOptions usage;
  TopOptions top;
  HookOptions hooks;
  TenantOptions tenant;
  OrderOptions order;
  std::string apply_file;
  std::string op;
  bool follows_op = false;
  std::string shell;  // of completion
  InitOptions init;
};

// What to say and how to end when there is nothing to do: help, version, or a mistake.
struct Refusal {
  std::string standard_output;
  std::string standard_error;
  ExitCode code = ExitCode::kUsage;
};

inline constexpr const char* kDefaultConfig = "/etc/rowhouse/rowhouse.yaml";
inline constexpr const char* kDefaultSocket = "/run/rowhouse/control.sock";

// The first of `arguments` is the program's name.  `socket_variable` is the value of ROWHOUSE_SOCKET or "".
[[nodiscard]] std::variant<Invocation, Refusal> parse_arguments(const std::vector<std::string>& arguments,
                                                                const std::string& socket_variable);

// Nothing unless the text is TENANT or TENANT/APP with names that can exist.
[[nodiscard]] std::optional<Subject> parse_subject(std::string_view text);

}  // namespace rowhouse::cli
