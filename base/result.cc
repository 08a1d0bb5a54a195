#include "base/result.h"

#include <cstring>

namespace rowhouse {
namespace {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSystem: return "system call failed";
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kTooLarge: return "over the cap";
    case ErrorCode::kClosed: return "peer has gone";
    case ErrorCode::kWouldBlock: return "would block";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kUnsupported: return "not supported here";
  }
  return "unknown";
}

}  // namespace

std::string describe(const Error& error) {
  std::string text = error.operation;
  text += ": ";
  text += error.system_errno != 0 ? std::strerror(error.system_errno) : name_of(error.code);
  return text;
}

}  // namespace rowhouse
