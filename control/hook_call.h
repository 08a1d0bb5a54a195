// One delivery to a hook, under way: a POST, or a program with the events on its standard input.  It never blocks, reads
// at most kMaxAnswerBytes of an answer, and is over by its deadline at the latest.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "control/hook.h"

namespace rowhouse::control {

class HookCall {
 public:
  static constexpr std::chrono::milliseconds kDeadline{30'000};
  static constexpr std::size_t kMaxAnswerBytes = 4096;

  // "" when the hook has taken the events, else why not.  Called from the loop, once; the call may be destroyed in it.
  using DoneCallback = std::function<void(const std::string& problem)>;
  virtual ~HookCall() = default;

  // Begins it; a call that cannot begin is done soon, with a problem.
  static std::unique_ptr<HookCall> begin(uv_loop_t* loop, const Hook& hook, const std::string& body, DoneCallback on_done);
};

}  // namespace rowhouse::control
