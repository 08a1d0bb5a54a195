// The terminal of `rowhouse top`: its other screen, keys without Enter, and back to what it was, whatever ends the
// command.
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rowhouse::cli {

class TopScreen {
 public:
  // REQUIRES: standard input and output are a terminal.
  TopScreen();
  ~TopScreen();
  TopScreen(const TopScreen&) = delete;
  TopScreen& operator=(const TopScreen&) = delete;

  [[nodiscard]] std::size_t rows() const;
  // Puts the lines in the place of what stood there, as many as there is room for.
  void show(const std::vector<std::string>& lines) const;

  struct Event {
    enum class Kind { kTime, kKey, kResized, kEnd } kind = Kind::kTime;
    char key = 0;  // 'k' and 'j' for the arrows up and down
  };
  // What comes first: a key, a change of size, the end (a signal, or no terminal any more), or the time.
  [[nodiscard]] Event wait(std::chrono::milliseconds time) const;

 private:
  termios before_{};
  bool changed_ = false;
};

}  // namespace rowhouse::cli
