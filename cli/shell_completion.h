// Completion for shells, made of the same definition as the command line itself.
#pragma once

#include <string>

#include "cli/command_sheet.h"
#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

// Scripts for bash 5, zsh 5 and fish 3.  They ask "rowhouse completion names" for tenants and apps.
[[nodiscard]] std::string bash_completion(const ProgramSheet& program);
[[nodiscard]] std::string zsh_completion(const ProgramSheet& program);
[[nodiscard]] std::string fish_completion(const ProgramSheet& program);

// "rowhouse completion SHELL", and "names": the tenants and apps that the caller may see, one a line; nothing when the
// daemon cannot be asked, for a shell shows no errors while somebody types.
ExitCode run_completion(const Invocation& invocation);

}  // namespace rowhouse::cli
