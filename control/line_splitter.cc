#include "control/line_splitter.h"

namespace rowhouse::control {

void LineSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    take(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::finish() {
  if (!held_.empty() || skipping_) end_line();
}

void LineSplitter::take(std::string_view part) {
  if (skipping_) {
    listener_.on_skipped(part.size());
    return;
  }
  const std::size_t room = kMaxLineBytes - held_.size();
  held_ += part.substr(0, room);
  if (part.size() <= room) return;
  held_ += kCutMark;
  skipping_ = true;
  const std::size_t skipped = part.size() - room;
  // The line is shown now: its end may never come.
  listener_.on_line(held_);
  held_.clear();
  listener_.on_skipped(skipped);
}

void LineSplitter::end_line() {
  if (skipping_) {
    skipping_ = false;
    return;
  }
  if (held_.ends_with('\r')) held_.pop_back();
  listener_.on_line(held_);
  held_.clear();
}

}  // namespace rowhouse::control
