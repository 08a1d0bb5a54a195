// Nothing is destroyed during one of its own events: owners bury the dead here, and the grave is emptied once the
// loop has turned.
#pragma once

#include <memory>
#include <vector>

#include "base/loop.h"

namespace rowhouse::supervisor {

class Mortal {
 public:
  virtual ~Mortal() = default;
};

class Graveyard {
 public:
  explicit Graveyard(uv_loop_t* loop) : empty_(loop, [this] { dead_.clear(); }) {}
  void bury(std::unique_ptr<Mortal> dead) {
    if (dead == nullptr) return;
    dead_.push_back(std::move(dead));
    empty_.start(std::chrono::milliseconds(0));
  }

 private:
  std::vector<std::unique_ptr<Mortal>> dead_;
  Timer empty_;
};

}  // namespace rowhouse::supervisor
