// The command line as CLI11 is told of it.  Only for what parses or describes it; others include invocation.h.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/invocation.h"

namespace rowhouse::cli {

// CLI11's own variables.
struct Flags {
  bool json = false;
  bool follow = false;
  bool access = false;
  bool raw = false;
  bool hard = false;
  bool csv = false;
  bool once = false;
  std::string action;
  bool no_wait = false;
  std::string subject;
};

// Commands with their options and places.  REQUIRES: the two structures live as long as `app` parses.
void define_program(CLI::App& app, Invocation& found, Flags& flags);

[[nodiscard]] std::vector<std::string_view> command_words();

}  // namespace rowhouse::cli
