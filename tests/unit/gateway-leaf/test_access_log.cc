#include <doctest/doctest.h>

#include <vector>

#include "base/message_socket.h"
#include "gateway/access_log.h"

namespace rowhouse::gateway {
namespace {

proto::AccessRecord sample() {
  proto::AccessRecord record;
  record.app = 7;
  record.status = 200;
  record.target = "/x";
  return record;
}

struct Reader {
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(proto::kMaxAccessRecordBytes);
  // The texts are borrowed from the buffer.
  proto::AccessRecord next(int socket) {
    const auto message = receive_message(socket, buffer);
    REQUIRE(message.ok());
    const auto record = proto::parse_access_record(ByteSpan(buffer).first(message.value().size));
    REQUIRE(record.ok());
    return record.value();
  }
};

TEST_CASE("a record arrives as it was given") {
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  AccessLog log(std::move(pair.value().ours));
  proto::AccessRecord record = sample();
  const std::string long_target(5000, 'a');
  record.target = long_target;
  log.record(record);
  Reader reader;
  const proto::AccessRecord received = reader.next(pair.value().theirs.get());
  CHECK(received.app == 7);
  CHECK(received.target == long_target.substr(0, proto::kMaxAccessTextBytes));
  CHECK(received.dropped == 0);
}

TEST_CASE("a reader that does not read costs records, not time, and is told how many") {
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  AccessLog log(std::move(pair.value().ours));
  proto::AccessRecord record = sample();
  while (log.dropped() < 3) log.record(record);
  Reader reader;
  CHECK(reader.next(pair.value().theirs.get()).dropped == 0);
  log.record(record);
  CHECK(log.dropped() == 0);
  REQUIRE(set_nonblocking(pair.value().theirs.get()).ok());
  std::uint64_t reported = 0;
  while (reported == 0) reported = reader.next(pair.value().theirs.get()).dropped;
  CHECK(reported == 3);
}

TEST_CASE("a reader that has gone is no error") {
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  AccessLog log(std::move(pair.value().ours));
  pair.value().theirs.reset();
  proto::AccessRecord record = sample();
  log.record(record);
  CHECK(log.dropped() == 1);
}

}  // namespace
}  // namespace rowhouse::gateway
