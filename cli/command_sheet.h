// What can be said on the command line, as data: for help that others show, such as a shell's.
#pragma once

#include <string>
#include <vector>

namespace rowhouse::cli {

// What a value can be completed from.
enum class ValueKind { kNone, kText, kChoice, kFile, kDirectory, kTenant, kApp, kSubject };

struct ArgumentSheet {
  std::vector<std::string> names;  // "-f", "--follow"; of an argument without one its place holder, such as "TENANT"
  ValueKind kind = ValueKind::kNone;  // kNone: a flag
  std::vector<std::string> choices;   // of kChoice
  std::string help;
  bool repeats = false;
};

struct CommandSheet {
  std::string word;
  std::string help;
  std::vector<ArgumentSheet> options;
  std::vector<ArgumentSheet> places;  // in their order
};

struct ProgramSheet {
  std::vector<ArgumentSheet> options;  // before or after the command
  std::vector<CommandSheet> commands;
};

// The definition that parse_arguments() goes by.
[[nodiscard]] ProgramSheet describe_program();

}  // namespace rowhouse::cli
