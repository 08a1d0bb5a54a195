// Writes one HTTP/1.1 answer.  The gateway alone decides the framing (RFC 9112 6), the status line, Date,
// Server and Connection; from the app come status, reason, fields and bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/compression.h"
#include "gateway/request.h"
#include "gateway/response_rules.h"
#include "gateway/static_files.h"  // AfterAnswer
#include "proto/heads.h"

namespace rowhouse::gateway {

// How the client knows where the body ends.
enum class ResponseFraming : std::uint8_t {
  kNone,  // no body at all: HEAD, 204, 304
  kLength,
  kChunked,
  kClose,  // HTTP/1.0 without a length: the end of the connection, so a broken answer needs a reset
};

[[nodiscard]] ResponseFraming choose_framing(const Request& request, std::uint16_t status,
                                             const CheckedResponse& checked);

// What the gateway adds to an answer's head.
struct HeadTerms {
  std::string_view date;
  AfterAnswer after = AfterAnswer::kKeepAlive;
  CompressChoice coding;  // of the body that will follow
};

class Http1Writer {
 public:
  explicit Http1Writer(std::string& out) : out_(out) {}

  // `head` has passed check_response.
  void append_head(const proto::ResponseHead& head, const CheckedResponse& checked, const Request& request,
                   const HeadTerms& terms);
  // The 101 of a tunnel; what follows goes as it is.
  void append_tunnel_head(const proto::ResponseHead& head, std::string_view date);
  // REQUIRES: no bytes when the framing is kNone.  Bytes that follow each other before the client's socket
  // takes any become one chunk: a worker that sends single bytes cannot make six of each.
  void append_data(std::string_view bytes);
  // Some of what was written is on its way: the last chunk cannot grow any more.
  void on_output_taken() { chunk_bytes_ = 0; }
  void append_end();
  [[nodiscard]] ResponseFraming framing() const { return framing_; }

 private:
  void append_field(const proto::Field& field, Coding coding);
  void append_number(std::uint64_t number, int base);
  void append_chunk(std::string_view bytes);

  std::string& out_;
  ResponseFraming framing_ = ResponseFraming::kNone;
  std::size_t chunk_at_ = 0;      // where in out_ the size of the last chunk is
  std::size_t chunk_digits_ = 0;  // of that size
  std::size_t chunk_bytes_ = 0;   // 0: the next bytes begin a chunk
};

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace rowhouse::gateway
