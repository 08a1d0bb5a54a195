#include "cli/shell_completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rowhouse::cli {
namespace {

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// Within single quotes of bash and zsh.
std::string quote(std::string text) {
  return "'" + replace_all(std::move(text), "'", "'\\''") + "'";
}

bool takes_value(const ArgumentSheet& argument) {
  return argument.kind != ValueKind::kNone;
}

std::string_view names_filter(ValueKind kind) {
  if (kind == ValueKind::kTenant) return "tenants";
  if (kind == ValueKind::kApp) return "apps";
  return "subjects";
}

bool is_name(ValueKind kind) {
  return kind == ValueKind::kTenant || kind == ValueKind::kApp || kind == ValueKind::kSubject;
}

// --- bash -------------------------------------------------------------------------------------------------------

std::string bash_action(const ArgumentSheet& argument) {
  if (argument.kind == ValueKind::kChoice) return fmt::format("_rowhouse_words {}", quote(fmt::format("{}", fmt::join(argument.choices, " "))));
  if (argument.kind == ValueKind::kFile) return "_rowhouse_files -f";
  if (argument.kind == ValueKind::kDirectory) return "_rowhouse_files -d";
  if (is_name(argument.kind)) return fmt::format("_rowhouse_names {}", names_filter(argument.kind));
  return ":";
}

constexpr const char* kBashHead = R"(# bash completion of rowhouse; printed by "rowhouse completion bash"
_rowhouse_words() { COMPREPLY=($(compgen -W "$1" -- "$word")); }
_rowhouse_files() { local IFS=$'\n'; compopt -o filenames; COMPREPLY=($(compgen "$1" -- "$word")); }
_rowhouse_names() {
  local names
  names=$("${COMP_WORDS[0]}" ${socket:+--socket "$socket"} completion names 2>/dev/null)
  case $1 in
    tenants) names=$(grep -v / <<<"$names") ;;
    apps) names=$(grep / <<<"$names") ;;
  esac
  _rowhouse_words "$names"
}
_rowhouse() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' socket='' places=0 i
  COMPREPLY=()
)";

// Which words are the command and values of options, and how many of its places are taken.
std::string bash_scan(const ProgramSheet& program) {
  std::vector<std::string> with_value;
  const auto add = [&with_value](std::string_view command, const std::vector<ArgumentSheet>& options) {
    for (const ArgumentSheet& option : options) {
      if (!takes_value(option)) continue;
      for (const std::string& name : option.names) with_value.push_back(fmt::format("{}:{}", command, name));
    }
  };
  add("*", program.options);
  for (const CommandSheet& command : program.commands) add(command.word, command.options);
  return fmt::format(R"(  for ((i = 1; i < COMP_CWORD; i++)); do
    [ "${{COMP_WORDS[i]}}" != --socket ] || socket=${{COMP_WORDS[i+1]}}
    case $command:${{COMP_WORDS[i]}} in
      {}) i=$((i + 1)) ;;
      *:-*) ;;
      :*) command=${{COMP_WORDS[i]}} ;;
      *) places=$((places + 1)) ;;
    esac
  done
)", fmt::join(with_value, "|"));
}

std::string bash_values(const ProgramSheet& program) {
  std::string text = "  case $command:$before in\n";
  const auto add = [&text](std::string_view command, const std::vector<ArgumentSheet>& options) {
    for (const ArgumentSheet& option : options) {
      if (!takes_value(option)) continue;
      for (const std::string& name : option.names) {
        text += fmt::format("    {}:{}) {}; return ;;\n", command, name, bash_action(option));
      }
    }
  };
  add("*", program.options);
  for (const CommandSheet& command : program.commands) add(command.word, command.options);
  return text + "  esac\n";
}

std::string bash_options(const ProgramSheet& program) {
  const auto words = [](const std::vector<ArgumentSheet>& options) {
    std::string all;
    for (const ArgumentSheet& option : options) all += fmt::format(" {}", fmt::join(option.names, " "));
    return all;
  };
  const std::string global = words(program.options);
  std::string text = "  if [[ $word == -* ]]; then\n    case $command in\n";
  for (const CommandSheet& command : program.commands) {
    text += fmt::format("      {}) _rowhouse_words {} ;;\n", command.word, quote(words(command.options).append(global).substr(1)));
  }
  return text + fmt::format("      *) _rowhouse_words {} ;;\n    esac\n    return\n  fi\n", quote(global.substr(1)));
}

std::string bash_places(const ProgramSheet& program) {
  std::string commands;
  for (const CommandSheet& command : program.commands) commands += " " + command.word;
  std::string text = fmt::format("  case $command:$places in\n    :0) _rowhouse_words {} ;;\n", quote(commands.substr(1)));
  for (const CommandSheet& command : program.commands) {
    for (std::size_t i = 0; i < command.places.size(); ++i) {
      const ArgumentSheet& place = command.places[i];
      const std::string at = place.repeats ? "*" : std::to_string(i);
      text += fmt::format("    {}:{}) {} ;;\n", command.word, at, bash_action(place));
    }
  }
  return text + "  esac\n}\ncomplete -F _rowhouse rowhouse\n";
}

// --- zsh --------------------------------------------------------------------------------------------------------

// A colon and a bracket mean something in a specification of _arguments.
std::string zsh_text(std::string text) {
  text = replace_all(std::move(text), "\\", "\\\\");
  for (const char* special : {":", "[", "]"}) text = replace_all(std::move(text), special, std::string("\\") + special);
  return text;
}

std::string zsh_action(const ArgumentSheet& argument) {
  if (argument.kind == ValueKind::kChoice) return fmt::format("({})", fmt::join(argument.choices, " "));
  if (argument.kind == ValueKind::kFile) return "_files";
  if (argument.kind == ValueKind::kDirectory) return "_files -/";
  // After a space the words are called as they are.
  if (is_name(argument.kind)) return fmt::format(" _rowhouse_names {}", names_filter(argument.kind));
  return " ";
}

void add_zsh_options(std::string& text, std::string_view indent, const std::vector<ArgumentSheet>& options) {
  for (const ArgumentSheet& option : options) {
    for (const std::string& name : option.names) {
      std::string spec = fmt::format("{}{}[{}]", option.repeats ? "*" : "", name, zsh_text(option.help));
      if (takes_value(option)) spec += fmt::format(":value:{}", zsh_action(option));
      text += fmt::format(" \\\n{}{}", indent, quote(spec));
    }
  }
}

constexpr const char* kZshHead = R"zsh(#compdef rowhouse
# zsh completion of rowhouse; printed by "rowhouse completion zsh"
_rowhouse_names() {
  local -a names
  names=(${(f)"$(rowhouse ${socket:+--socket $socket} completion names 2>/dev/null)"})
  case $1 in
    tenants) names=(${names:#*/*}) ;;
    apps) names=(${(M)names:#*/*}) ;;
  esac
  compadd -a names
}
_rowhouse() {
  local context state line
  typeset -A opt_args
  local -a commands
  commands=(
)zsh";

// --- fish -------------------------------------------------------------------------------------------------------

std::string fish_quote(std::string text) {
  text = replace_all(std::move(text), "\\", "\\\\");
  return "'" + replace_all(std::move(text), "'", "\\'") + "'";
}

std::string fish_action(const ArgumentSheet& argument) {
  if (argument.kind == ValueKind::kChoice) return fmt::format(" -a {}", fish_quote(fmt::format("{}", fmt::join(argument.choices, " "))));
  if (argument.kind == ValueKind::kFile) return " -F";
  if (argument.kind == ValueKind::kDirectory) return " -a '(__fish_complete_directories (commandline -ct))'";
  if (is_name(argument.kind)) return fmt::format(" -a '(__rowhouse_names {})'", names_filter(argument.kind));
  return "";
}

void add_fish_option(std::string& text, const std::string& condition, const ArgumentSheet& option) {
  text += "complete -c rowhouse" + condition;
  for (const std::string& name : option.names) {
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (takes_value(option)) text += (option.kind == ValueKind::kFile ? " -r" : " -x") + fish_action(option);
  text += fmt::format(" -d {}\n", fish_quote(option.help));
}

constexpr const char* kFishHead = R"(# fish completion of rowhouse; printed by "rowhouse completion fish"
function __rowhouse_names
    set -l names (rowhouse completion names 2>/dev/null)
    switch $argv[1]
        case tenants
            string match -v '*/*' -- $names
        case apps
            string match '*/*' -- $names
        case '*'
            string join \n -- $names
    end
end
complete -c rowhouse -f
)";

}  // namespace

std::string bash_completion(const ProgramSheet& program) {
  return kBashHead + bash_scan(program) + bash_values(program) + bash_options(program) + bash_places(program);
}

std::string zsh_completion(const ProgramSheet& program) {
  std::string text = kZshHead;
  for (const CommandSheet& command : program.commands) {
    text += fmt::format("    {}\n", quote(command.word + ":" + zsh_text(command.help)));
  }
  text += "  )\n  _arguments -C";
  add_zsh_options(text, "    ", program.options);
  text += " \\\n    '1: :->command' '*:: :->arguments'\n  local socket=${opt_args[--socket]}\n  case $state in\n    command) _describe command commands ;;\n    arguments)\n      case $words[1] in\n";
  for (const CommandSheet& command : program.commands) {
    text += fmt::format("        {})\n          _arguments", command.word);
    add_zsh_options(text, "            ", command.options);
    add_zsh_options(text, "            ", program.options);
    for (const ArgumentSheet& place : command.places) {
      text += fmt::format(" \\\n            {}", quote(fmt::format("{}:{}:{}", place.repeats ? "*" : "", zsh_text(place.help), zsh_action(place))));
    }
    text += "\n          ;;\n";
  }
  return text + "      esac\n      ;;\n  esac\n}\nif [ \"$funcstack[1]\" = _rowhouse ]; then _rowhouse \"$@\"; else compdef _rowhouse rowhouse; fi\n";
}

std::string fish_completion(const ProgramSheet& program) {
  std::string text = kFishHead;
  for (const ArgumentSheet& option : program.options) add_fish_option(text, "", option);
  for (const CommandSheet& command : program.commands) {
    text += fmt::format("complete -c rowhouse -n __fish_use_subcommand -a {} -d {}\n", command.word, fish_quote(command.help));
    const std::string seen = "__fish_seen_subcommand_from " + command.word;
    for (const ArgumentSheet& option : command.options) add_fish_option(text, fmt::format(" -n '{}'", seen), option);
    std::string earlier;  // a choice that was made is no choice any more
    for (const ArgumentSheet& place : command.places) {
      const bool chooses = place.kind == ValueKind::kChoice;
      const std::string made = fmt::format("__fish_seen_subcommand_from {}", fmt::join(place.choices, " "));
      const std::string action = fish_action(place);
      if (!action.empty()) {
        text += fmt::format("complete -c rowhouse -n '{}{}{}'{}\n", seen, earlier, chooses ? "; and not " + made : "", action);
      }
      if (chooses) earlier += "; and " + made;
    }
  }
  return text;
}

}  // namespace rowhouse::cli
