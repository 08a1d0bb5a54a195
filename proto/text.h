// Text<N>: a short string of at most N bytes that lives inside a message.  On the wire it always takes
// 2 + N bytes: length, bytes, zeros; so every control message has one size.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::proto {

template <std::size_t N>
class Text {
 public:
  static_assert(N <= 0xffff);
  static constexpr std::size_t kCapacity = N;

  constexpr Text() = default;
  // Nothing when `text` is longer than N bytes.
  [[nodiscard]] static std::optional<Text> from(std::string_view text) {
    if (text.size() > N) return std::nullopt;
    Text result;
    std::copy(text.begin(), text.end(), result.bytes_.begin());
    result.size_ = static_cast<std::uint16_t>(text.size());
    return result;
  }
  // For texts that are known to fit or may be cut.
  [[nodiscard]] static Text cut(std::string_view text) { return *from(text.substr(0, N)); }

  [[nodiscard]] constexpr std::string_view view() const { return {bytes_.data(), size_}; }
  [[nodiscard]] std::string str() const { return std::string(view()); }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  friend bool operator==(const Text& a, const Text& b) { return a.view() == b.view(); }

 private:
  std::uint16_t size_ = 0;
  std::array<char, N> bytes_{};
};

}  // namespace rowhouse::proto
