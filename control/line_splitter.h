// Cuts the byte stream of one log pipe into lines.  Holds at most one unfinished line of kMaxLineBytes; what
// a longer line has beyond that is skipped and counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rowhouse::control {

class LineListener {
 public:
  virtual ~LineListener() = default;
  // A line without its end, at most LineSplitter::kMaxLineBytes and the mark of a cut.
  virtual void on_line(std::string_view line) = 0;
  // Bytes of an overlong line that nobody will see.
  virtual void on_skipped(std::size_t bytes) = 0;
};

class LineSplitter {
 public:
  static constexpr std::size_t kMaxLineBytes = 16 * 1024;
  static constexpr std::string_view kCutMark = " [line cut]";

  explicit LineSplitter(LineListener& listener) : listener_(listener) {}
  // `bytes` are borrowed for the call only.
  void feed(std::string_view bytes);
  // Ends an unfinished line: the pipe is empty and its writer has gone.
  void finish();

 private:
  void take(std::string_view part);
  void end_line();

  LineListener& listener_;
  std::string held_;
  bool skipping_ = false;
};

}  // namespace rowhouse::control
