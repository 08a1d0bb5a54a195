// Answers of the API as bytes.
#pragma once

#include <string>
#include <string_view>

namespace rowhouse::control {

enum class ConnectionUse { kKeepAlive, kClose };
enum class BodyUse { kSend, kHeadOnly };

struct Answer {
  int status = 200;
  std::string body;  // JSON
  std::string content_type = "application/json";
  std::string allow;  // of a 405
  ConnectionUse connection = ConnectionUse::kKeepAlive;
};

// {"error":{"code":...,"message":...}}; `detail` and `pointer` only where they are not empty.
struct ErrorText {
  int status = 500;
  std::string_view code;
  std::string message;
  std::string detail;
  std::string pointer;
};
[[nodiscard]] Answer error_answer(const ErrorText& error);

// Head and body.
[[nodiscard]] std::string format_answer(const Answer& answer, ConnectionUse connection, BodyUse body);

// The head of a chunked answer and one chunk (RFC 9112 7.1).  Such an answer ends with its connection.
[[nodiscard]] std::string format_stream_head(std::string_view content_type);
[[nodiscard]] std::string format_chunk(std::string_view bytes);

}  // namespace rowhouse::control
