#include "cli/command_sheet.h"

#include <algorithm>

#include "cli/command_line.h"

namespace rowhouse::cli {
namespace {

constexpr std::pair<std::string_view, ValueKind> kKinds[] = {
    {"DIRECTORY", ValueKind::kDirectory}, {"FILE", ValueKind::kFile},       {"--socket", ValueKind::kFile},   {"--config", ValueKind::kFile},
    {"--exec", ValueKind::kFile},     {"--home", ValueKind::kDirectory}, {"TENANT", ValueKind::kTenant},
    {"--tenant", ValueKind::kTenant}, {"APP", ValueKind::kApp},          {"SUBJECT", ValueKind::kSubject}};

// CLI11 keeps what a value must be one of only as the text "TYPE:{one,other}".
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> choices;
  const std::size_t begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos) return choices;
  for (std::size_t at = begin + 1; at < end;) {
    const std::size_t comma = std::min(type.find(',', at), end);
    choices.push_back(type.substr(at, comma - at));
    at = comma + 1;
  }
  return choices;
}

ArgumentSheet describe_argument(const CLI::Option& option) {
  ArgumentSheet sheet;
  for (const std::string& name : option.get_snames()) sheet.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) sheet.names.push_back("--" + name);
  if (option.get_positional()) sheet.names = {option.get_name(true)};
  sheet.help = option.get_description();
  sheet.repeats = option.get_expected_max() > 1;
  if (option.get_items_expected_max() == 0) return sheet;
  sheet.choices = choices_in(option.get_type_name());
  const auto known = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&sheet](const auto& entry) { return entry.first == sheet.names.back(); });
  sheet.kind = known != std::end(kKinds) ? known->second : ValueKind::kText;
  if (!sheet.choices.empty()) sheet.kind = ValueKind::kChoice;
  return sheet;
}

CommandSheet describe_command(const CLI::App& command) {
  CommandSheet sheet{command.get_name(), command.get_description(), {}, {}};
  for (const CLI::Option* option : command.get_options()) {
    (option->get_positional() ? sheet.places : sheet.options).push_back(describe_argument(*option));
  }
  return sheet;
}

}  // namespace

ProgramSheet describe_program() {
  Invocation unused;
  Flags flags;
  CLI::App app;
  define_program(app, unused, flags);
  ProgramSheet sheet;
  sheet.options = describe_command(app).options;
  const CLI::App& defined = app;
  for (const CLI::App* command : defined.get_subcommands([](const CLI::App*) { return true; })) {
    CommandSheet one = describe_command(*command);
    // Every command has --help; it is said once.
    std::erase_if(one.options, [&sheet](const ArgumentSheet& option) {
      return std::any_of(sheet.options.begin(), sheet.options.end(),
                         [&option](const ArgumentSheet& known) { return known.names == option.names; });
    });
    sheet.commands.push_back(std::move(one));
  }
  return sheet;
}

}  // namespace rowhouse::cli
