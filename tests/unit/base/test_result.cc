// Result, Status, their macros, and UniqueFd.
#include <doctest/doctest.h>

#include <fcntl.h>

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

Status fail() { return make_error(ErrorCode::kTooLarge, "measure"); }
Result<int> half(int number) {
  if (number % 2 != 0) return make_error(ErrorCode::kInvalid, "half");
  return number / 2;
}
Result<int> quarter(int number) {
  RH_ASSIGN(const int halved, half(number));
  RH_ASSIGN(const int quartered, half(halved));
  return quartered;
}
Status try_both(int number, int& steps) {
  RH_TRY(half(number));
  ++steps;
  RH_TRY(fail());
  ++steps;
  return {};
}

TEST_CASE("RH_ASSIGN hands on the value or returns the first error") {
  CHECK(quarter(8).value() == 2);
  CHECK_FALSE(quarter(6).ok());
  CHECK(std::string(quarter(6).error().operation) == "half");
}

TEST_CASE("RH_TRY stops at the first failure") {
  int steps = 0;
  CHECK(try_both(1, steps).error().code == ErrorCode::kInvalid);
  CHECK(steps == 0);
  CHECK(try_both(2, steps).error().code == ErrorCode::kTooLarge);
  CHECK(steps == 1);
}

TEST_CASE("a default Status is good") { CHECK(Status().ok()); }

TEST_CASE("a value that cannot be copied is moved out") {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 7);
}

TEST_CASE("a failed system call is described with its operation and reason") {
  errno = EACCES;
  CHECK(describe(system_error("openat cgroup.procs")) == "openat cgroup.procs: Permission denied");
  CHECK(describe(make_error(ErrorCode::kClosed, "recvmsg")) == "recvmsg: peer has gone");
}

TEST_CASE("EAGAIN is told apart from a failure") {
  errno = EAGAIN;
  CHECK(system_error("read").code == ErrorCode::kWouldBlock);
  errno = EIO;
  CHECK(system_error("read").code == ErrorCode::kSystem);
}

TEST_CASE("a descriptor is closed with its owner, once") {
  int number = -1;
  {
    const UniqueFd owner = open_null();
    number = owner.get();
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a moved descriptor has one owner") {
  UniqueFd first = open_null();
  const int number = first.get();
  UniqueFd second(std::move(first));
  CHECK(second.get() == number);
  UniqueFd third = open_null();
  const int replaced = third.get();
  third = std::move(second);
  CHECK_FALSE(is_open(replaced));
  CHECK(is_open(number));
  CHECK_FALSE(second.valid());  // NOLINT: what a move leaves behind is the claim
  third.reset();
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a released descriptor stays open") {
  UniqueFd owner = open_null();
  const UniqueFd again(owner.release());
  CHECK_FALSE(owner.valid());
  CHECK(is_open(again.get()));
}

TEST_CASE("the manual clock moves only when told, on both sides") {
  ManualClock clock;
  const Instant before = clock.now();
  const std::int64_t wall_before = clock.wall_ms();
  CHECK(clock.now() == before);
  clock.advance(std::chrono::seconds(2));
  CHECK(clock.now() - before == std::chrono::seconds(2));
  CHECK(clock.wall_ms() - wall_before == 2000);
}

TEST_CASE("the system clock never runs backwards and tells this century") {
  const SystemClock clock;
  const Instant before = clock.now();
  CHECK(clock.now() >= before);
  CHECK(clock.wall_ms() > 1'600'000'000'000);
}

}  // namespace
}  // namespace rowhouse
