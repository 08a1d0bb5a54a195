// Which program the keeper starts as the supervisor: the one that it is itself, kept open so that it can be
// started also when another has taken its place on disk, or the one on disk now, on trial.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {

class SupervisorProgram {
 public:
  Status open();
  // Opens what is on disk now.  An error when root cannot trust it; nothing has changed then.
  Status open_candidate();
  // The candidate has proved itself, or it has failed.
  void accept_candidate() { program_ = std::move(candidate_); }
  void drop_candidate() { candidate_.reset(); }
  [[nodiscard]] bool on_trial() const { return candidate_.valid(); }
  // In a new process: becomes the candidate, or without one the program, with `socket` at the control
  // socket's place.
  [[noreturn]] void exec(int socket, const std::vector<std::string>& arguments) const;

 private:
  std::string path_;
  UniqueFd program_;
  UniqueFd candidate_;
};

}  // namespace rowhouse::supervisor
