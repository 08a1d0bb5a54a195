// A channel against a worker that may do anything: rules of streams, credit, DRAIN, ids.
#include <doctest/doctest.h>

#include <sys/socket.h>

#include "base/message_socket.h"
#include "gateway/channel.h"

using namespace rowhouse;
using namespace rowhouse::gateway;

namespace {

// Writes down what a stream hears.
struct Heard final : StreamListener {
  std::string log;
  std::string data;
  void on_started() override { log += "started "; }
  void on_response(const proto::ResponseHead& head) override { log += std::to_string(head.status) + " "; }
  void on_tunnel(const proto::ResponseHead& head) override { log += "tunnel " + std::to_string(head.status) + " "; }
  void on_data(std::string_view bytes) override { data += bytes; }
  void on_end(const proto::End&) override { log += "end "; }
  void on_abort(proto::AbortReason) override { log += "abort "; }
  void on_lost(StreamLoss loss, StreamPhase) override {
    log += loss == StreamLoss::kDrained ? "drained " : loss == StreamLoss::kUnsent ? "unsent " : "gone ";
  }
  void on_body_room() override { log += "room "; }
  void on_credit() override { log += "credit "; }
  void on_time_over() override { log += "time "; }
};

struct Owner final : ChannelListener {
  int rooms = 0;
  int closed = 0;
  std::optional<ChannelEnd> end;
  void on_channel_room() override { ++rooms; }
  void on_stream_closed(std::optional<std::uint16_t>) override { ++closed; }
  void on_stream_given_up() override {}
  int lost_unheard = 0;
  void on_given_up_time_over(const Stream&) override {}
  void on_given_up_lost(const Stream&) override { ++lost_unheard; }
  void on_channel_end(ChannelEnd how) override { end = how; }
};

// One channel in a loop of its own, and the worker's end.
struct Bench {
  SystemClock clock;
  Loop loop;
  Workbench bench{loop.get(), clock};
  Owner owner;
  UniqueFd worker;
  std::unique_ptr<Channel> channel;
  std::string frame;

  explicit Bench(std::size_t max_streams = 17) {
    auto pair = create_stream_pair();
    REQUIRE(pair.ok());
    worker = std::move(pair.value().ours);
    channel = std::make_unique<Channel>(bench, std::move(pair.value().theirs), max_streams, owner);
    turn();
  }
  // Lets the loop do everything that is due.
  void turn() {
    for (int i = 0; i < 3; ++i) uv_run(loop.get(), UV_RUN_NOWAIT);
    bench.turn.finish();
  }
  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent =
          ::send(worker.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 65536), MSG_NOSIGNAL);
      if (sent < 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      turn();
    }
    turn();
  }
  void hello(std::uint32_t window = proto::kStreamWindowBytes) {
    std::string out;
    proto::append_hello(out, window);
    say(out);
  }
  Stream& open(Heard& heard) {
    frame.clear();
    proto::RequestHead head;
    head.method_name = "POST";
    head.method = proto::Method::kPost;
    proto::append_request(frame, 0, head, proto::RequestBody::kFollows);
    return channel->open(frame, heard, bench.turn.now() + std::chrono::seconds(10));
  }
  std::string hear() {
    char buffer[65536];
    const ssize_t count = ::recv(worker.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : "";
  }
  [[nodiscard]] bool violated() const { return owner.end == ChannelEnd::kViolated; }
};

std::string raw_frame(std::uint32_t length, std::uint8_t type, std::uint8_t flags, std::uint16_t reserved,
                      std::uint32_t stream, std::string_view payload = {}) {
  std::string out;
  proto::append_integer(out, length);
  proto::append_integer(out, type);
  proto::append_integer(out, flags);
  proto::append_integer(out, reserved);
  proto::append_integer(out, stream);
  out.append(payload);
  return out;
}

std::string response(std::uint32_t stream) {
  std::string out;
  proto::append_response(out, stream, {200, {}, {}});
  return out;
}

template <typename Append, typename... Arguments>
std::string made(Append append, Arguments... arguments) {
  std::string out;
  append(out, arguments...);
  return out;
}

struct Row {
  const char* what;
  std::string bytes;
};

// After HELLO, with stream 1 open.
std::vector<Row> violations() {
  const std::string hello = made(proto::append_hello, proto::kStreamWindowBytes);
  const auto data = [](std::size_t bytes) {
    return made(proto::append_data, 1U, std::string_view(std::string(bytes, 'x')));
  };
  return {
      {"random bytes", std::string(100'000, '\xa5')},
      {"a length of 4 GiB", raw_frame(0xffffffff, 6, 0, 0, 1)},
      {"a length of 2 GiB", raw_frame(0x80000000, 5, 0, 0, 1)},
      {"DATA of one byte too many", raw_frame(32769, 6, 0, 0, 1)},
      {"RESPONSE of one byte too many", raw_frame(98305, 5, 0, 0, 1)},
      {"END too short", raw_frame(3, 7, 0, 0, 1, "abc")},
      {"empty DATA", raw_frame(0, 6, 0, 0, 1)},
      {"START with a payload", raw_frame(1, 4, 0, 0, 1, "x")},
      {"type 0", raw_frame(0, 0, 0, 0, 1)},
      {"a reserved type", raw_frame(0, 11, 0, 0, 1)},
      {"type 255", raw_frame(0, 255, 0, 0, 1)},
      {"a frame of the gateway", raw_frame(1, 3, 0, 0, 1, "x")},
      {"a flag", raw_frame(0, 4, 1, 0, 1)},
      {"reserved bits", raw_frame(0, 4, 0, 1, 1)},
      {"stream 0", raw_frame(0, 4, 0, 0, 0)},
      {"second HELLO", hello},
      {"a stream that is not open", made(proto::append_start, 2U)},
      {"the largest stream", made(proto::append_start, 0xffffffffU)},
      {"CREDIT for a stream never opened", made(proto::append_credit, 2U, 1U)},
      {"CREDIT for the largest stream", made(proto::append_credit, 0xffffffffU, 1U)},
      {"second START", made(proto::append_start, 1U) + made(proto::append_start, 1U)},
      {"START after RESPONSE", response(1) + made(proto::append_start, 1U)},
      {"DATA before RESPONSE", data(1)},
      {"second RESPONSE", response(1) + response(1)},
      {"END before RESPONSE", made(proto::append_end, 1U, proto::End{.service_us = 1})},
      {"END twice", response(1) + made(proto::append_end, 1U, proto::End{.service_us = 1}) +
                        made(proto::append_end, 1U, proto::End{.service_us = 1})},
      {"DATA after END", response(1) + made(proto::append_end, 1U, proto::End{.service_us = 1}) + data(1)},
      {"DATA beyond its credit", response(1) + data(proto::kStreamWindowBytes + 1)},
      {"CREDIT of nothing", made(proto::append_credit, 1U, 0U)},
      {"CREDIT beyond the largest window", made(proto::append_credit, 1U, proto::kMaxWindowBytes)},
      {"ABORT with a reason of ours", made(proto::append_abort, 1U, proto::AbortReason::kClientGone)},
      {"ABORT without a reason", raw_frame(4, 8, 0, 0, 1, std::string_view("\0\0\0\0", 4))},
      {"status 199", raw_frame(6, 5, 0, 0, 1, std::string_view("\xc7\0\0\0\0\0", 6))},
      {"status 600", raw_frame(6, 5, 0, 0, 1, std::string_view("\x58\x02\0\0\0\0", 6))},
      {"101 fields", raw_frame(6, 5, 0, 0, 1, std::string_view("\xc8\0\0\0\x65\0", 6))},
      {"fields missing", raw_frame(6, 5, 0, 0, 1, std::string_view("\xc8\0\0\0\x01\0", 6))},
      {"DRAIN twice", made(proto::append_drain, 1U) + made(proto::append_drain, 1U)},
      {"DRAIN before a stream that started", made(proto::append_start, 1U) + made(proto::append_drain, 0U)},
  };
}

}  // namespace

TEST_CASE("a stream goes its way: START, RESPONSE, DATA, END") {
  Bench bench;
  CHECK_FALSE(bench.channel->has_room());
  bench.hello();
  CHECK(bench.channel->has_room());
  Heard heard;
  const Stream& stream = bench.open(heard);
  CHECK(stream.id == 1);
  std::string out =
      made(proto::append_start, 1U) + response(1) + made(proto::append_data, 1U, std::string_view("hi"));
  proto::append_end(out, 1, {.service_us = 7});
  bench.say(out);
  CHECK(heard.log == "started 200 end ");
  CHECK(heard.data == "hi");
  CHECK(bench.owner.closed == 1);
  CHECK(bench.channel->open_streams() == 0);
  CHECK_FALSE(bench.owner.end);
}

TEST_CASE("frames that arrive byte by byte are the same frames") {
  Bench bench;
  bench.hello();
  Heard heard;
  bench.open(heard);
  std::string out =
      made(proto::append_start, 1U) + response(1) + made(proto::append_data, 1U, std::string_view("hello"));
  proto::append_end(out, 1, {.service_us = 7});
  for (const char byte : out) bench.say(std::string_view(&byte, 1));
  CHECK(heard.log == "started 200 end ");
  CHECK(heard.data == "hello");
}

TEST_CASE("everything that breaks a rule ends the channel, and the streams are lost") {
  for (const Row& row : violations()) {
    CAPTURE(row.what);
    Bench bench;
    bench.hello();
    Heard heard;
    bench.open(heard);
    bench.say(row.bytes);
    CHECK(bench.violated());
    CHECK(bench.channel->open_streams() == 0);
    CHECK(bench.owner.closed == 1);
    const bool over =
        heard.log.ends_with("gone ") || heard.log.ends_with("end ") || heard.log.ends_with("drained ");
    CHECK(over);
  }
}

TEST_CASE("the first frame must be a good HELLO") {
  for (const std::string& first :
       {made(proto::append_start, 1U), raw_frame(8, 1, 0, 0, 0, std::string_view("\x02\0\0\0\0\0\x04\0", 8)),
        raw_frame(8, 1, 0, 0, 0, std::string_view("\x01\0\0\0\0\0\0\0", 8))}) {
    Bench bench;
    bench.say(first);
    CHECK(bench.violated());
  }
}

TEST_CASE("DATA up to its credit passes, and credit that was granted counts") {
  Bench bench;
  bench.hello();
  Heard heard;
  Stream& stream = bench.open(heard);
  bench.say(response(1) +
            made(proto::append_data, 1U, std::string_view(std::string(proto::kStreamWindowBytes, 'x'))));
  CHECK(heard.data.size() == proto::kStreamWindowBytes);
  CHECK(stream.receive_window == 0);
  bench.channel->grant(stream, 70'000);
  bench.say(made(proto::append_data, 1U, std::string_view(std::string(70'000, 'x'))));
  CHECK(heard.data.size() == proto::kStreamWindowBytes + 70'000);
  CHECK_FALSE(bench.owner.end);
}

TEST_CASE("a body is never sent beyond the worker's credit") {
  Bench bench;
  bench.hello(1000);
  Heard heard;
  Stream& stream = bench.open(heard);
  CHECK(bench.channel->body_room(stream) == 1000);
  bench.channel->send_body(stream, std::string(1000, 'b'), proto::BodyPart::kMore);
  CHECK(bench.channel->body_room(stream) == 0);
  bench.say(made(proto::append_credit, 1U, 500U));
  CHECK(heard.log == "credit room ");
  CHECK(bench.channel->body_room(stream) == 500);
}

TEST_CASE("a worker that stops reading stops bodies, not the gateway's memory") {
  Bench bench;
  bench.hello(proto::kMaxWindowBytes);
  Heard heard;
  Stream& stream = bench.open(heard);
  std::size_t given = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t room = std::min<std::size_t>(bench.channel->body_room(stream), 65536);
    if (room > 0) bench.channel->send_body(stream, std::string(room, 'b'), proto::BodyPart::kMore);
    given += room;
    bench.turn();
  }
  CHECK(given < 2 << 20);
  CHECK(bench.channel->unsent_bytes() < 512 << 10);
  CHECK_FALSE(bench.channel->has_room());
  while (!bench.hear().empty()) bench.turn();
  CHECK(heard.log == "room ");
  CHECK(bench.channel->has_room());
}

TEST_CASE("a request that has not left when the channel ends is told apart from one that has") {
  Bench bench(4096);
  bench.hello();
  // Nobody reads: sooner or later the socket takes no more, and the last request waits here, whole or in part.
  std::vector<std::unique_ptr<Heard>> all;
  while (bench.channel->has_room()) {
    all.push_back(std::make_unique<Heard>());
    bench.open(*all.back());
    bench.turn();
  }
  REQUIRE(all.size() > 2);
  bench.worker.reset();
  bench.turn();
  CHECK(bench.owner.end);
  CHECK(all.front()->log == "gone ");
  CHECK(all.back()->log == "unsent ");
}

TEST_CASE("a worker that is lost with a stream that nobody hears is told once") {
  Bench bench;
  bench.hello();
  Heard heard;
  bench.channel->give_up(bench.open(heard), proto::AbortReason::kClientGone, {});
  bench.turn();
  bench.worker.reset();
  bench.turn();
  CHECK(heard.log.empty());
  CHECK(bench.owner.lost_unheard == 1);
}

TEST_CASE("a stream that was given up hears nothing, and its worker may still end it in any way") {
  for (const std::string& rest :
       {made(proto::append_end, 1U, proto::End{.service_us = 1}),
        made(proto::append_abort, 1U, proto::AbortReason::kAppFailedBeforeHead),
        made(proto::append_start, 1U) + response(1) + made(proto::append_end, 1U, proto::End{.service_us = 1})}) {
    Bench bench;
    bench.hello();
    Heard heard;
    Stream& stream = bench.open(heard);
    bench.channel->give_up(stream, proto::AbortReason::kClientGone, {});
    CHECK(bench.channel->open_streams() == 1);
    bench.say(rest);
    CHECK(heard.log.empty());
    CHECK(bench.channel->open_streams() == 0);
    CHECK(bench.owner.closed == 1);
    CHECK_FALSE(bench.owner.end);
  }
}

TEST_CASE("CREDIT that crossed the END of its stream is discarded") {
  Bench bench;
  bench.hello();
  Heard heard;
  bench.open(heard);
  bench.say(response(1) + made(proto::append_end, 1U, proto::End{.service_us = 1}) + made(proto::append_credit, 1U, 5U));
  CHECK_FALSE(bench.owner.end);
}

TEST_CASE("DRAIN gives back later streams, the last first, and stops new ones") {
  Bench bench;
  bench.hello();
  std::vector<Heard> heard(4);
  for (Heard& one : heard) bench.open(one);
  bench.say(made(proto::append_drain, 2U));
  CHECK_FALSE(bench.channel->has_room());
  CHECK(heard[0].log.empty());
  CHECK(heard[1].log.empty());
  CHECK(heard[2].log == "drained ");
  CHECK(heard[3].log == "drained ");
  CHECK(bench.channel->open_streams() == 2);
  bench.say(response(1) + made(proto::append_end, 1U, proto::End{.service_us = 1}));
  CHECK(heard[0].log == "200 end ");
  CHECK_FALSE(bench.owner.end);
  bench.say(made(proto::append_start, 3U));
  CHECK(bench.violated());
}

TEST_CASE("the stream table finds what is in it through many openings and closings") {
  Deadlines deadlines;
  StreamTable table(20);
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<Stream*> open;
  std::uint32_t id = 0xfffffff0;
  std::uint32_t seed = 1;
  for (int i = 0; i < 20; ++i) streams.push_back(std::make_unique<Stream>(deadlines));
  for (int step = 0; step < 20'000; ++step) {
    seed = seed * 1664525 + 1013904223;
    if (open.size() < 20 && (open.empty() || (seed >> 16) % 2 == 0)) {
      Stream* fresh = nullptr;
      for (const auto& one : streams) {
        if (std::find(open.begin(), open.end(), one.get()) == open.end()) fresh = one.get();
      }
      id += 1 + (seed >> 8) % 70;
      fresh->id = id;
      table.insert(*fresh);
      open.push_back(fresh);
    } else {
      const std::size_t at = (seed >> 16) % open.size();
      table.erase(*open[at]);
      CHECK(table.find(open[at]->id) == nullptr);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    }
    REQUIRE(table.size() == open.size());
    for (const Stream* one : open) REQUIRE(table.find(one->id) == one);
  }
}
