// Bodies of requests and answers, and who waits for whom, through the real program.
#include <doctest/doctest.h>

#include "gateway_process.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

struct Site {
  GatewayProcess gateway;
  FakeWorker worker;
  explicit Site(const AppOptions& options = {}, std::uint32_t threads = 1)
      : worker((gateway.add_app(options), gateway.add_worker(1, threads, options.app))) {}
};

}  // namespace

TEST_CASE("a body of known length and a chunked body arrive byte for byte") {
  Site site;
  HttpClient client = site.gateway.connect();
  std::string body;
  for (int i = 0; i < 300'000; ++i) body.push_back(static_cast<char>(i * 31 % 251));
  client.send("POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\n" + body.substr(0, 1000));
  auto request = site.worker.next_request();
  CHECK(request->has_body);
  CHECK(request->head.body_length == 1000);
  CHECK(site.worker.read_body(request->stream) == body.substr(0, 1000));
  site.worker.start(request->stream);
  site.worker.respond(request->stream, 200, "a", {{"Content-Length", "1"}});
  CHECK(client.read_answer().body == "a");

  client.send("POST /b HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  request = site.worker.next_request();
  site.worker.start(request->stream);
  CHECK(request->head.body_length == proto::kUnknownLength);
  std::string chunks;
  for (std::size_t at = 0, size = 1; at < 5000; at += size, size = size * 3 + 1) {
    const std::string part = body.substr(at, std::min(size, 5000 - at));
    char line[32];
    std::snprintf(line, sizeof line, "%zx;ext=\"1\"\r\n", part.size());
    chunks += line + part + "\r\n";
  }
  chunks += "0\r\nX-Trailer: dropped\r\n\r\n";
  for (const char byte : chunks.substr(0, 200)) client.send(std::string_view(&byte, 1));
  client.send(std::string_view(chunks).substr(200));
  CHECK(site.worker.read_body(request->stream) == body.substr(0, 5000));
  site.worker.respond(request->stream, 200, "b", {{"Content-Length", "1"}});
  CHECK(client.read_answer().body == "b");
}

TEST_CASE("an upload waits for the worker's credit and the client waits for the gateway") {
  Site site;
  HttpClient client = site.gateway.connect();
  const std::size_t size = 8 << 20;
  client.send("PUT /big HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  const auto request = site.worker.next_request();
  site.worker.start(request->stream);
  std::string piece(65536, 'x');
  std::size_t sent = 0;
  // Nobody reads: the window of the stream, the buffers of the sockets and the gateway's own fill up.
  for (int idle = 0; idle < 20;) {
    const std::size_t count = client.try_send(piece.substr(0, std::min(piece.size(), size - sent)));
    sent += count;
    if (count == 0) {
      site.gateway.settle();
      ++idle;
    } else {
      idle = 0;
    }
  }
  CHECK(sent < size);
  std::size_t received = 0;
  std::uint32_t owed = 0;
  while (received < size) {
    while (sent < size) {
      const std::size_t count = client.try_send(piece.substr(0, std::min(piece.size(), size - sent)));
      if (count == 0) break;
      sent += count;
    }
    const OwnedFrame frame = site.worker.next();
    REQUIRE(frame.type == proto::FrameType::kBody);
    received += frame.payload.size();
    owed += static_cast<std::uint32_t>(frame.payload.size());
    CHECK(received <= 262'144 + sent);
    if (owed < 65536) continue;
    std::string credit;
    proto::append_credit(credit, request->stream, owed);
    site.worker.send(credit);
    owed = 0;
  }
  site.worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
  CHECK(client.read_answer().body == "ok");
}

TEST_CASE("a slow reader gets the whole answer and the worker gets credit only as it reads") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const auto request = site.worker.next_request();
  const std::size_t size = 8 << 20;
  site.worker.respond_head(request->stream, 200, {{"Content-Length", std::to_string(size)}});
  const std::string piece(32768, 'y');
  std::size_t window = 262'144;
  std::size_t sent = 0;
  std::size_t read = 0;
  std::string head = client.read_some(1);
  while (sent < size) {
    if (window >= piece.size()) {
      site.worker.data(request->stream, piece);
      window -= piece.size();
      sent += piece.size();
      continue;
    }
    if (site.worker.has_frame()) {
      const OwnedFrame frame = site.worker.next();
      REQUIRE(frame.type == proto::FrameType::kCredit);
      window += proto::parse_credit(as_bytes(frame.payload)).value();
      CHECK(window <= 262'144);
      continue;
    }
    read += client.read_some(1, 100).size();
  }
  site.worker.end(request->stream);
  while (true) {
    const std::string more = client.read_some(1, 1000);
    if (more.empty()) break;
    read += more.size();
  }
  CHECK(read == size);
}

TEST_CASE("100 is sent when a worker reads the body, and only then") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  const auto request = site.worker.next_request();
  CHECK(client.read_some(25) == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  CHECK(site.worker.read_body(request->stream) == "hi");
  site.worker.start(request->stream);
  site.worker.respond(request->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(client.read_answer().status == 200);

  HttpClient stranger = site.gateway.connect();
  stranger.send("POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  const HttpAnswer refused = stranger.read_answer();
  CHECK(refused.status == 421);
  CHECK(refused.field("Connection") == "close");
  CHECK(stranger.is_closed_by_gateway());
}

TEST_CASE("a bad chunk ends the request and the worker hears of it") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX");
  const auto request = site.worker.next_request();
  CHECK(client.read_answer().status == 400);
  CHECK(client.is_closed_by_gateway());
  OwnedFrame frame = site.worker.next();
  while (frame.type == proto::FrameType::kBody) {
    CHECK_FALSE(frame.last());
    frame = site.worker.next();
  }
  CHECK(frame.type == proto::FrameType::kAbort);
}

TEST_CASE("a body over the app's limit is 413, told early when its length is known") {
  Site site({.body_bytes = 1000});
  HttpClient client = site.gateway.connect();
  client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1001\r\n\r\n");
  HttpAnswer answer = client.read_answer();
  CHECK(answer.status == 413);
  CHECK(answer.field("Rowhouse-Cause") == "RH-TOO-LARGE");
  HttpClient second = site.gateway.connect();
  second.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto request = site.worker.next_request();
  second.send("3e8\r\n" + std::string(1000, 'x') + "\r\n");
  CHECK(site.worker.next().payload.size() == 1000);
  second.send("1\r\nx\r\n");
  CHECK(second.read_answer().status == 413);
  CHECK(site.worker.next().type == proto::FrameType::kAbort);
}

TEST_CASE("an answer before the body was read: a short rest is thrown away, a long one closes") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5000\r\n\r\n");
  auto request = site.worker.next_request();
  site.worker.start(request->stream);
  site.worker.respond(request->stream, 200, "early", {{"Content-Length", "5"}});
  CHECK(client.read_answer().body == "early");
  client.send(std::string(5000, 'G') + std::string(kGet));
  request = site.worker.next_request();
  CHECK(request->head.method == proto::Method::kGet);
  site.worker.respond(request->stream, 200, "next", {{"Content-Length", "4"}});
  CHECK(client.read_answer().body == "next");
  client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 500000\r\n\r\n");
  request = site.worker.next_request();
  site.worker.start(request->stream);
  site.worker.respond(request->stream, 200, "early", {{"Content-Length", "5"}});
  CHECK(client.read_answer().body == "early");
  CHECK(client.is_closed_by_gateway());
}
