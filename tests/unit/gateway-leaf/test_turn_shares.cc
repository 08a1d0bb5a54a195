// How a turn of the loop is shared between tenants.
#include <doctest/doctest.h>

#include "gateway/turn_shares.h"

using namespace rowhouse;
using namespace rowhouse::gateway;
using std::chrono::milliseconds;

namespace {

constexpr std::uint32_t kMost = TurnShares::kReadsPerTurn;

std::uint32_t admitted(TurnShares& shares, TurnShare& share, std::uint64_t turn, Instant now, std::uint32_t tries) {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < tries; ++i) count += shares.admit(share, TurnWork::kRead, turn, now) ? 1 : 0;
  return count;
}

TEST_CASE("a tenant that is alone has the whole turn") {
  ManualClock clock;
  TurnShares shares;
  TurnShare loud;
  CHECK(admitted(shares, loud, 1, clock.now(), 1000) == 1000);
  CHECK(admitted(shares, loud, 2, clock.now(), 1000) == 1000);
}

TEST_CASE("beside another it has a part, in each turn anew, until the other has been quiet for a while") {
  ManualClock clock;
  TurnShares shares;
  TurnShare loud, quiet;
  CHECK(admitted(shares, loud, 1, clock.now(), 1000) == 1000);
  CHECK(admitted(shares, quiet, 1, clock.now(), 1) == 1);
  CHECK(admitted(shares, loud, 1, clock.now(), 1000) == 0);
  CHECK(admitted(shares, loud, 2, clock.now(), 1000) == kMost);
  CHECK(admitted(shares, quiet, 2, clock.now(), 1) == 1);
  CHECK(admitted(shares, loud, 3, clock.now(), 1000) == kMost);
  clock.advance(TurnShares::kCrowdedTime - milliseconds(1));
  CHECK(admitted(shares, loud, 4, clock.now(), 1000) == kMost);
  clock.advance(milliseconds(1));
  CHECK(admitted(shares, loud, 5, clock.now(), 1000) == 1000);
}

TEST_CASE("one that is heard of for the first time makes a neighbour too") {
  ManualClock clock;
  TurnShares shares;
  TurnShare loud, fresh;
  shares.note(fresh, clock.now());
  CHECK(admitted(shares, loud, 1, clock.now(), 1000) == kMost);
}

TEST_CASE("each of many loud ones has its own part") {
  ManualClock clock;
  TurnShares shares;
  TurnShare many[3];
  for (TurnShare& each : many) CHECK(admitted(shares, each, 1, clock.now(), 1) == 1);
  for (TurnShare& each : many) CHECK(admitted(shares, each, 2, clock.now(), 1000) == kMost);
}

TEST_CASE("requests that were there already have a part of their own, so that neither they nor reads starve") {
  ManualClock clock;
  TurnShares shares;
  TurnShare loud, quiet;
  shares.note(quiet, clock.now());
  CHECK(admitted(shares, loud, 1, clock.now(), 1000) == kMost);
  std::uint32_t begun = 0;
  for (int i = 0; i < 1000; ++i) begun += shares.admit(loud, TurnWork::kNextRequest, 1, clock.now()) ? 1 : 0;
  CHECK(begun == TurnShares::kNextRequestsPerTurn);
  CHECK(shares.admit(quiet, TurnWork::kNextRequest, 1, clock.now()));
  CHECK(shares.admit(loud, TurnWork::kNextRequest, 2, clock.now()));
}

TEST_CASE("connections of no tenant have one part together, also where no tenant has work") {
  TurnShares shares;
  for (const TurnWork work : {TurnWork::kRead, TurnWork::kNextRequest}) {
    for (std::uint64_t turn = 1; turn < 3; ++turn) {
      std::uint32_t count = 0;
      for (int i = 0; i < 1000; ++i) count += shares.admit_stranger(work, turn) ? 1 : 0;
      CHECK(count == (work == TurnWork::kRead ? kMost : TurnShares::kNextRequestsPerTurn));
    }
  }
}

TEST_CASE("connections of no tenant make nobody a neighbour") {
  ManualClock clock;
  TurnShares shares;
  TurnShare alone;
  CHECK(shares.admit_stranger(TurnWork::kRead, 1));
  CHECK(admitted(shares, alone, 1, clock.now(), 1000) == 1000);
}

}  // namespace
