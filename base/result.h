// Result<T> and Status: how every fallible function outside the loader, the control program and the CLI
// reports.  An Error names the operation that failed as a string literal and carries errno, so that the one
// place that decides can log one good sentence.  Neither class can be dropped silently.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace rowhouse {

enum class ErrorCode : std::uint8_t {
  kSystem,       // a system call failed; system_errno says how
  kInvalid,      // bytes or a value that cannot be right
  kTooLarge,     // beyond a named cap
  kClosed,       // the peer has gone
  kWouldBlock,   // nothing to read now, or no room to write now
  kNotFound,     // the thing named does not exist
  kUnsupported,  // this kernel or build cannot do it
};

struct Error {
  ErrorCode code = ErrorCode::kSystem;
  const char* operation = "";  // a literal: "openat cgroup.procs"
  int system_errno = 0;        // 0 where no system call was involved
};

// An Error for a system call that has just failed, from errno.
[[nodiscard]] inline Error system_error(const char* operation) {
  return Error{errno == EAGAIN ? ErrorCode::kWouldBlock : ErrorCode::kSystem, operation, errno};
}
[[nodiscard]] inline Error make_error(ErrorCode code, const char* operation) {
  return Error{code, operation, 0};
}

// One line for a log: "openat cgroup.procs: Permission denied".
[[nodiscard]] std::string describe(const Error& error);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : failed_(true), error_(error) {}  // NOLINT: implicit so that errors are just returned
  [[nodiscard]] bool ok() const { return !failed_; }
  // REQUIRES: !ok().
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, error) {}         // NOLINT: implicit
  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  // REQUIRES: ok().  Aborts otherwise: a broken invariant of our own.
  [[nodiscard]] T& value() & {
    require_ok();
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    require_ok();
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    require_ok();
    return std::move(*std::get_if<0>(&state_));
  }
  // REQUIRES: !ok().
  [[nodiscard]] const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  void require_ok() const {
    if (!ok()) std::abort();
  }
  std::variant<T, Error> state_;
};

}  // namespace rowhouse

#define RH_CONCAT_INNER(a, b) a##b
#define RH_CONCAT(a, b) RH_CONCAT_INNER(a, b)
// RH_TRY(expression): returns the error of a Status or Result out of the enclosing function.
#define RH_TRY(expression)                                                                                   \
  do {                                                                                                       \
    auto&& rh_status = (expression);                                                                         \
    if (!rh_status.ok()) return rh_status.error();                                                           \
  } while (false)
// RH_ASSIGN(auto x, expression): the value of a Result, or return its error.
#define RH_ASSIGN_INNER(temporary, declaration, expression)                                                  \
  auto temporary = (expression);                                                                             \
  if (!temporary.ok()) return temporary.error();                                                             \
  declaration = std::move(temporary).value()
#define RH_ASSIGN(declaration, expression) RH_ASSIGN_INNER(RH_CONCAT(rh_result_, __LINE__), declaration, expression)
