// The framing of a chunked body (RFC 9112 7.1), checked before llhttp decodes it, because llhttp lets pass
// what another program on the way could read differently: blanks after a size, sizes of any length, trailers
// that pretend to be fields of the head, and bodies that are nearly all framing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/caps.h"

namespace rowhouse::gateway {

class ChunkRules {
 public:
  enum class Verdict : std::uint8_t { kMore, kComplete, kRefused };
  struct Progress {
    Verdict verdict = Verdict::kMore;
    std::size_t bytes = 0;  // how many of the bytes belong to this body
  };

  // Looks at the next bytes of the body.  The verdict does not depend on how the body is split.
  [[nodiscard]] Progress check(std::string_view bytes);

 private:
  enum class State : std::uint8_t {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kComplete,
    kRefused,
  };

  [[nodiscard]] State step(char byte);
  [[nodiscard]] State on_size(char byte);
  [[nodiscard]] State on_size_end();
  [[nodiscard]] State on_extension(char byte);
  [[nodiscard]] State on_trailer_name(char byte);
  [[nodiscard]] bool is_mostly_framing() const;

  State state_ = State::kSize;
  std::size_t digits_ = 0;
  std::uint64_t size_ = 0;  // of this chunk; then what is left of it
  std::size_t line_extension_ = 0;
  std::size_t body_extension_ = 0;
  std::size_t trailer_ = 0;
  std::uint64_t framing_ = 0;
  std::uint64_t data_ = 0;
  std::string trailer_name_;
};

}  // namespace rowhouse::gateway
