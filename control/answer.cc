#include "control/answer.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace rowhouse::control {
namespace {

const char* reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 429: return "Too Many Requests";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Internal Server Error";
  }
}

// Fields of every answer: nothing of it may be stored, guessed or framed.
constexpr std::string_view kCommonFields = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

}  // namespace

Answer error_answer(const ErrorText& error) {
  nlohmann::ordered_json inner{{"code", error.code}, {"message", error.message}};
  if (!error.detail.empty()) inner["detail"] = error.detail;
  if (!error.pointer.empty()) inner["pointer"] = error.pointer;
  const nlohmann::ordered_json outer{{"error", inner}};
  Answer answer;
  answer.status = error.status;
  answer.body = outer.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  return answer;
}

std::string format_answer(const Answer& answer, ConnectionUse connection, BodyUse body) {
  std::string text =
      "HTTP/1.1 " + std::to_string(answer.status) + " " + reason_phrase(answer.status) + "\r\n";
  text += "Content-Type: " + answer.content_type + "\r\n";
  text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  text += kCommonFields;
  if (!answer.allow.empty()) text += "Allow: " + answer.allow + "\r\n";
  if (connection == ConnectionUse::kClose) text += "Connection: close\r\n";
  text += "\r\n";
  if (body == BodyUse::kSend) text += answer.body;
  return text;
}

std::string format_stream_head(std::string_view content_type) {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Type: ";
  text.append(content_type).append("\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n");
  return text.append(kCommonFields).append("\r\n");
}

std::string format_chunk(std::string_view bytes) {
  std::array<char, 24> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  return std::string(size.data()).append(bytes).append("\r\n");
}

}  // namespace rowhouse::control
