// Answers that the gateway takes from the worker faster than a client takes them, through the real program.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "spooled_site.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::size_t kPiece = 32 * 1024;
constexpr std::size_t kLarge = 16'000'000;  // more than the kernel keeps for a socket

// A gateway with a spool directory and an app whose answers are buffered.
struct Site {
  explicit Site(AppOptions options = {.buffer_responses = true}, Spool spool = Spool::kThere)
      : directory(gateway, spool), worker((gateway.add_app(options), gateway.add_worker(1, 4))) {}
  // Sends as much of `body` as the gateway gives credit for within the time; how much that was.
  std::size_t send_while_credited(std::uint32_t stream, std::string_view body, int patience_ms) {
    std::size_t credit = proto::kStreamWindowBytes, sent = 0;
    while (sent < body.size()) {
      const std::size_t part = std::min({kPiece, credit, body.size() - sent});
      if (part > 0) {
        worker.data(stream, body.substr(sent, part));
        sent += part;
        credit -= part;
        continue;
      }
      const OwnedFrame frame = worker.next(patience_ms);
      if (frame.type != proto::FrameType::kCredit) break;
      credit += proto::parse_credit(as_bytes(frame.payload)).value();
    }
    return sent;
  }

  GatewayProcess gateway;
  SpoolDirectory directory;
  FakeWorker worker;
};

}  // namespace

TEST_CASE("a client that reads nothing does not keep the worker, and later gets every byte") {
  Site site;
  const std::string body = varied(kLarge);
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const std::uint32_t stream = site.worker.next_request()->stream;
  const std::size_t before = site.gateway.open_descriptors();
  site.worker.respond_head(stream, 200, {{"Content-Length", std::to_string(kLarge)}});
  CHECK(site.send_while_credited(stream, body, kPatienceMs) == body.size());
  site.worker.end(stream);
  while (site.gateway.table().apps[7][0].in_flight.load() != 0) site.gateway.settle();
  CHECK(std::filesystem::is_empty(site.directory.path()));  // its file has no name
  CHECK(site.gateway.open_descriptors() > before);   // but there is one
  const HttpAnswer answer = client.read_answer();
  CHECK(answer.complete);
  CHECK(answer.body == body);
  for (int i = 0; i < 1000 && site.gateway.open_descriptors() > before; ++i) site.gateway.settle();
  CHECK(site.gateway.open_descriptors() <= before);
  const proto::AccessRecord record = site.gateway.next_record();
  CHECK(record.status == 200);
  CHECK(record.bytes_out == body.size());
  CHECK(record.app_us < record.total_us);
  // The connection lives on.
  client.send(kGet);
  site.worker.respond(site.worker.next_request()->stream, 200, "k", {{"Content-Length", "1"}});
  CHECK(client.read_answer().body == "k");
}

TEST_CASE("an answer of unknown length is kept, too, and its end is the worker's") {
  Site site;
  const std::string body = varied(kLarge);
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const std::uint32_t stream = site.worker.next_request()->stream;
  site.worker.respond_head(stream, 200);
  CHECK(site.send_while_credited(stream, body, kPatienceMs) == body.size());
  SUBCASE("whole") {
    site.worker.end(stream);
    const HttpAnswer answer = client.read_answer();
    CHECK(answer.complete);
    CHECK(answer.body == body);
  }
  SUBCASE("a worker that dies in it") {
    site.worker.close();
    site.gateway.worker_gone(1);
    const HttpAnswer answer = client.read_answer();
    CHECK_FALSE(answer.complete);
    CHECK(client.is_closed_by_gateway());
  }
}

TEST_CASE("what keeps up is not kept: each piece of a stream reaches the client at once") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const std::uint32_t stream = site.worker.next_request()->stream;
  site.worker.respond_head(stream, 200, {{"Content-Type", "text/event-stream"}});
  std::string seen = client.read_some(40);
  for (int i = 0; i < 50; ++i) {
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    site.worker.data(stream, event);
    while (seen.find(event) == std::string::npos) {
      const std::string more = client.read_some(1);
      REQUIRE(!more.empty());
      seen += more;
    }
  }
  site.worker.end(stream);
}

TEST_CASE("without a disk, or switched off, the client sets the pace again") {
  bool buffered = false;
  SUBCASE("without a disk") { buffered = true; }
  SUBCASE("switched off") { buffered = false; }
  Site site({.buffer_responses = buffered}, buffered ? Spool::kMissing : Spool::kThere);
  const std::string body = varied(kLarge);
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const std::uint32_t stream = site.worker.next_request()->stream;
  site.worker.respond_head(stream, 200, {{"Content-Length", std::to_string(kLarge)}});
  const std::size_t sent = site.send_while_credited(stream, body, 300);
  CHECK(sent < body.size());
  CHECK(site.gateway.table().apps[7][0].in_flight.load() == 1);
}

TEST_CASE("a client that goes leaves nothing of its answer") {
  Site site;
  const std::string body = varied(kLarge);
  const std::size_t before = site.gateway.open_descriptors();
  {
    HttpClient client = site.gateway.connect();
    client.send(kGet);
    const std::uint32_t stream = site.worker.next_request()->stream;
    site.worker.respond_head(stream, 200);
    CHECK(site.send_while_credited(stream, body, kPatienceMs) == body.size());
    site.worker.end(stream);
    site.gateway.settle();
    client.reset();
  }
  CHECK(site.gateway.next_record().client_aborted);
  for (int i = 0; i < 1000 && site.gateway.open_descriptors() > before; ++i) site.gateway.settle();
  CHECK(site.gateway.open_descriptors() <= before);
}

TEST_CASE("more than was promised is cut after what was promised, also when that is kept") {
  Site site;
  const std::string body = varied(kLarge);
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const std::uint32_t stream = site.worker.next_request()->stream;
  site.worker.respond_head(stream, 200, {{"Content-Length", std::to_string(kLarge - 100)}});
  CHECK(site.send_while_credited(stream, body, kPatienceMs) == body.size());
  const HttpAnswer answer = client.read_answer();
  CHECK(answer.body == body.substr(0, kLarge - 100));
  CHECK(client.is_closed_by_gateway());
}
