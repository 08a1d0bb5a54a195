// Bytes on their way: appended at the end, taken from the front.  Used for what a client sent and we have not
// used, and for what we have not yet written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rowhouse::gateway {

class ByteQueue {
 public:
  [[nodiscard]] bool empty() const { return start_ == bytes_.size(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - start_; }
  [[nodiscard]] std::string_view view() const { return std::string_view(bytes_).substr(start_); }

  // For appending only: what is in it already has been counted by size().
  [[nodiscard]] std::string& tail() { return bytes_; }
  void append(std::string_view bytes) { bytes_.append(bytes); }

  // Takes `count` bytes from the front.  REQUIRES: count <= size().
  void consume(std::size_t count) {
    start_ += count;
    if (start_ == bytes_.size()) {
      clear();
    } else if (start_ >= kCompactBytes && start_ > bytes_.size() / 2) {
      bytes_.erase(0, start_);
      start_ = 0;
    }
  }
  void clear() {
    bytes_.clear();
    start_ = 0;
  }
  // Gives memory back that a large message needed.
  void release(std::size_t kept_bytes) {
    if (empty() && bytes_.capacity() > kept_bytes) {
      std::string().swap(bytes_);
      start_ = 0;
    }
  }

 private:
  static constexpr std::size_t kCompactBytes = 4096;
  std::string bytes_;
  std::size_t start_ = 0;
};

}  // namespace rowhouse::gateway
