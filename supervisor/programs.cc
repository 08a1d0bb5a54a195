#include "supervisor/programs.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/files.h"
#include "proto/python_table.h"

namespace rowhouse::supervisor {
namespace {

Result<UniqueFd> open_directory_of_self() {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink("/proc/self/exe", target.data(), target.size() - 1);
  if (length <= 0) return system_error("readlink /proc/self/exe");
  std::string path(target.data(), static_cast<std::size_t>(length));
  path.resize(path.rfind('/') + 1);
  for (const std::string& place : {path, path + "../libexec/rowhouse/"}) {
    UniqueFd directory(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid() && ::faccessat(directory.get(), "rowhouse-jail", X_OK, 0) == 0) return directory;
  }
  return make_error(ErrorCode::kNotFound, "rowhouse-jail");
}

Status open_program(int directory, const std::string& name, UniqueFd& program, std::string& problem) {
  program.reset(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (program.valid()) return {};
  problem = "the program " + name + " is missing beside rowhoused and in libexec/rowhouse; install it again";
  return system_error("openat program");
}

}  // namespace

const PythonProgram* Programs::find_python(std::string_view version) const {
  for (const PythonProgram& python : pythons) {
    if (python.version == version) return &python;
  }
  return nullptr;
}

Result<Programs> open_programs(std::string& problem) {
  problem = "the other programs are neither beside rowhoused nor in ../libexec/rowhouse";
  RH_ASSIGN(const UniqueFd directory, open_directory_of_self());
  Programs programs;
  RH_TRY(open_program(directory.get(), "rowhouse-jail", programs.jail, problem));
  RH_TRY(open_program(directory.get(), "rowhouse-gateway", programs.gateway, problem));
  RH_TRY(open_program(directory.get(), "rowhouse-control", programs.control, problem));
  RH_TRY(open_program(directory.get(), "rowhouse-loader", programs.loader, problem));
  problem = "pythons.table is missing or malformed beside the other programs";
  RH_ASSIGN(const std::string table, read_file(directory.get(), proto::kPythonTableFile, proto::kMaxPythonTableBytes));
  RH_ASSIGN(const std::vector<proto::PythonRow> rows, proto::parse_python_table(table));
  for (const proto::PythonRow& row : rows) {
    PythonProgram python{row.version, row.prefix, {}};
    RH_TRY(open_program(directory.get(), row.program, python.program, problem));
    programs.pythons.push_back(std::move(python));
  }
  return programs;
}

}  // namespace rowhouse::supervisor
