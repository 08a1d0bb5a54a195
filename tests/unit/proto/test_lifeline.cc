// Lifeline records: golden bytes of the page, and that nothing but the nine records decodes.
#include <doctest/doctest.h>

#include "page.h"
#include "proto/causes.h"
#include "proto/lifeline.h"

namespace rowhouse::proto::test {
namespace {

const std::string kPage = read_source("proto/PROTOCOL.control.md");

void check_golden(const std::string& label, const LifelineRecord& record) {
  CAPTURE(label);
  const std::string bytes = golden(kPage, label);
  CHECK(as_text(encode_lifeline(record)) == bytes);
  const auto decoded = decode_lifeline(as_bytes(bytes));
  REQUIRE(decoded.ok());
  CHECK(decoded.value().type == record.type);
  CHECK(decoded.value().number == record.number);
}

TEST_CASE("lifeline records have the page's bytes") {
  check_golden("lifeline_born", {LifelineType::kBorn, 0});
  check_golden("lifeline_ready", {LifelineType::kReady, 3 << 8 | 11});
  check_golden("lifeline_failed",
               {LifelineType::kFailed, static_cast<std::uint32_t>(StartStep::kImportModule)});
  check_golden("lifeline_channel", {LifelineType::kChannel, 1});
  check_golden("lifeline_fork", {LifelineType::kFork, 3});
  check_golden("lifeline_channel_of_third", {LifelineType::kChannel, 1U | 2U << kChannelAppShift});
  check_golden("lifeline_log", {LifelineType::kLog, 1});
}

TEST_CASE("only the ten record types of the page decode") {
  std::size_t known = 0;
  for (unsigned type = 0; type < 0x10000; ++type) {
    LifelineBytes bytes = encode_lifeline({static_cast<LifelineType>(type), 0});
    if (decode_lifeline(bytes).ok()) ++known;
  }
  CHECK(known == 10);
}

TEST_CASE("a record of another size, version or with a tail is refused") {
  const LifelineBytes good = encode_lifeline({LifelineType::kReady, 1});
  REQUIRE(decode_lifeline(good).ok());
  CHECK_FALSE(decode_lifeline(ByteSpan(good).first(15)).ok());
  CHECK_FALSE(decode_lifeline({}).ok());
  std::string longer(as_text(good));
  CHECK_FALSE(decode_lifeline(as_bytes(longer + '\0')).ok());
  LifelineBytes version = good;
  version[2] = 2;
  CHECK_FALSE(decode_lifeline(version).ok());
  for (std::size_t i = 8; i < good.size(); ++i) {
    LifelineBytes tail = good;
    tail[i] = 1;
    CHECK_FALSE(decode_lifeline(tail).ok());
  }
}

TEST_CASE("CHANNEL and LOG are sent with one descriptor, FORK with two, everything else with none") {
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  const int socket = pair.value().ours.get();
  const int descriptor = STDIN_FILENO;
  CHECK_FALSE(send_lifeline(socket, {LifelineType::kChannel, 0}).ok());
  CHECK_FALSE(send_lifeline(socket, {LifelineType::kLog, 1}).ok());
  CHECK(send_lifeline(socket, {LifelineType::kLog, 1}, {&descriptor, 1}).ok());
  CHECK_FALSE(send_lifeline(socket, {LifelineType::kGo, 0}, {&descriptor, 1}).ok());
  CHECK(send_lifeline(socket, {LifelineType::kGo, 0}).ok());
  CHECK(send_lifeline(socket, {LifelineType::kChannel, 0}, {&descriptor, 1}).ok());
  const int two[] = {STDIN_FILENO, STDOUT_FILENO};
  CHECK_FALSE(send_lifeline(socket, {LifelineType::kFork, 1}, {&descriptor, 1}).ok());
  CHECK_FALSE(send_lifeline(socket, {LifelineType::kChannel, 0}, two).ok());
  CHECK(send_lifeline(socket, {LifelineType::kFork, 1}, two).ok());
}

}  // namespace
}  // namespace rowhouse::proto::test
