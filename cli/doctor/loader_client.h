// Asks the real rowhouse-loader, as rowhoused does, for the host file's records and for problems of tenant
// files. Run by root, the loader is nobody.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "proto/loader_messages.h"

namespace rowhouse::cli {

struct HostAnswer {
  std::string problem;  // the loader's sentences, or why it could not be asked; empty: the file is good
  proto::HostRecord host;
  std::vector<std::string> pythons;
};

class LoaderClient {
 public:
  // `program_directory` holds rowhouse-loader.
  explicit LoaderClient(const std::string& program_directory);
  ~LoaderClient();
  LoaderClient(const LoaderClient&) = delete;
  LoaderClient& operator=(const LoaderClient&) = delete;

  [[nodiscard]] HostAnswer load_host(const std::string& path);
  // The sentences about a tenant file; empty: it is good.
  [[nodiscard]] std::string load_tenant(const std::string& directory, const std::string& name);

 private:
  // Takes records until the answer ends.  The sentences, or "".
  std::string receive(HostAnswer* host);

  UniqueFd control_;
  pid_t child_ = -1;
};

}  // namespace rowhouse::cli
