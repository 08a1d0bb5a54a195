// Requests and answers through the real program, on real sockets.
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

TEST_CASE("a GET reaches the worker as parsed fields and its answer reaches the client") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("GET /p%41th/?x=1 HTTP/1.1\r\nHost: A.example:80\r\nUser-Agent: t\r\nX-Thing: 1\r\nx-thing: 2\r\n"
              "Cookie: a=1\r\nCookie: b=2\r\nProxy: evil\r\nX_Bad: 1\r\nX-Forwarded-For: 6.6.6.6\r\n"
              "Connection: keep-alive\r\n\r\n");
  const auto request = site.worker.next_request();
  CHECK(request->head.method == proto::Method::kGet);
  CHECK(request->head.version == 11);
  CHECK(request->head.app == 7);
  CHECK(request->head.target == "/p%41th/?x=1");
  CHECK(request->head.path_info == "/pAth/");
  CHECK(request->head.query == "x=1");
  CHECK(request->head.host == "A.example:80");
  CHECK(request->head.server_name == "a.example");
  CHECK(request->head.server_port == site.gateway.port());
  CHECK(request->head.remote_address == "127.0.0.1");
  CHECK(request->head.request_id.size() == 16);
  CHECK(request->field("user-agent") == "t");
  CHECK(request->field("x-thing") == "1");
  CHECK(request->field("cookie") == "a=1; b=2");
  CHECK(request->field("proxy") == "-");
  CHECK(request->field("x-forwarded-for") == "127.0.0.1");
  CHECK(request->field("x-forwarded-proto") == "http");
  CHECK(request->field("x-forwarded-host") == "A.example:80");
  CHECK(request->field("connection") == "-");
  CHECK(request->head.fields.size() == 7);
  CHECK_FALSE(request->has_body);
  site.worker.respond(request->stream, 200, "hello", {{"Content-Length", "5"}, {"X-Own", "yes"}});
  const HttpAnswer answer = client.read_answer();
  CHECK(answer.status == 200);
  CHECK(answer.body == "hello");
  CHECK(answer.complete);
  CHECK(answer.field("X-Own") == "yes");
  CHECK(answer.field("Server") == "Rowhouse");
  CHECK(answer.field("Date").size() == 29);
  CHECK(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
  const proto::AccessRecord record = site.gateway.next_record();
  CHECK(record.app == 7);
  CHECK(record.status == 200);
  CHECK(record.bytes_out == 5);
  CHECK(record.target == "/p%41th/?x=1");
  CHECK(record.method == "GET");
  CHECK(record.request_id == request->head.request_id);
  CHECK(record.total_us > 0);
}

TEST_CASE("a connection carries many requests, split anywhere") {
  Site site;
  HttpClient client = site.gateway.connect();
  for (std::size_t cut = 1; cut < kGet.size(); ++cut) {
    client.send(kGet.substr(0, cut));
    site.gateway.settle();
    client.send(kGet.substr(cut));
    const auto request = site.worker.next_request();
    CHECK(request->stream == cut);
    site.worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
    CHECK(client.read_answer().body == "ok");
  }
}

TEST_CASE("pipelined requests are answered in order, one at a time") {
  Site site;
  HttpClient client = site.gateway.connect();
  std::string three;
  for (int i = 0; i < 3; ++i) three += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a.example\r\n\r\n";
  client.send(three);
  for (int i = 0; i < 3; ++i) {
    const auto request = site.worker.next_request();
    CHECK(request->head.path_info == "/" + std::to_string(i));
    site.gateway.settle();
    CHECK_FALSE(site.worker.has_frame());
    site.worker.respond(request->stream, 200, std::to_string(i), {{"Content-Length", "1"}});
    CHECK(client.read_answer().body == std::to_string(i));
  }
}

TEST_CASE("an answer without a length is chunked, and each piece arrives as it is sent") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const auto request = site.worker.next_request();
  site.worker.respond_head(request->stream, 200);
  std::string seen = client.read_some(1);
  CHECK(seen.find("Transfer-Encoding: chunked") != std::string::npos);
  for (const std::string piece : {"one", "two", "three"}) {
    site.worker.data(request->stream, piece);
    CHECK(client.read_some(piece.size() + 5).find(piece) != std::string::npos);
  }
  site.worker.end(request->stream);
  CHECK(client.read_some(5) == "0\r\n\r\n");
}

TEST_CASE("an HTTP/1.0 client gets the body up to the end of the connection") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
  const auto request = site.worker.next_request();
  CHECK(request->head.version == 10);
  site.worker.respond(request->stream, 200, "hello");
  const HttpAnswer answer = client.read_answer();
  CHECK(answer.body == "hello");
  CHECK(answer.complete);
  CHECK(answer.field("Connection") == "close");
  CHECK(answer.field("Transfer-Encoding") == "");
}

TEST_CASE("HEAD, 204 and 304 have no body whatever the app sends, and the connection stays in step") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  auto request = site.worker.next_request();
  site.worker.respond(request->stream, 200, "hello", {{"Content-Length", "5"}});
  const HttpAnswer head = client.read_answer("HEAD");
  CHECK(head.status == 200);
  CHECK(head.field("Content-Length") == "5");
  for (const std::uint16_t status : {std::uint16_t{204}, std::uint16_t{304}}) {
    client.send(kGet);
    request = site.worker.next_request();
    site.worker.respond(request->stream, status, "hello");
    CHECK(client.read_answer().status == status);
  }
  client.send(kGet);
  request = site.worker.next_request();
  site.worker.respond(request->stream, 200, "last", {{"Content-Length", "4"}});
  CHECK(client.read_answer().body == "last");
}

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

TEST_CASE("refusals carry a cause and an id, and the connection lives on when it can") {
  Site site({.prefix = "/app"});
  HttpClient client = site.gateway.connect();
  client.send("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
  HttpAnswer answer = client.read_answer();
  CHECK(answer.status == 421);
  CHECK(answer.field("Rowhouse-Cause") == "RH-NO-HOST");
  CHECK(answer.field("Rowhouse-Error").size() == 16);
  proto::AccessRecord record = site.gateway.next_record();
  CHECK(record.status == 421);
  CHECK(record.cause == proto::Cause::kNoHost);
  CHECK(record.error_id != 0);
  client.send("GET /other HTTP/1.1\r\nHost: a.example\r\n\r\n");
  answer = client.read_answer();
  CHECK(answer.status == 404);
  CHECK(answer.field("Rowhouse-Cause") == "RH-NO-ROUTE");
  client.send("GET /app/x HTTP/1.1\r\nHost: a.example\r\n\r\n");
  const auto request = site.worker.next_request();
  CHECK(request->head.script_name == "/app");
  CHECK(request->head.path_info == "/x");
  site.worker.respond(request->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(client.read_answer().status == 200);
  client.send("OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n");
  CHECK(client.read_answer().status == 204);
  client.send("GET / HTTP/1.1\r\nHost: a.example\r\nBad Name: 1\r\n\r\n");
  answer = client.read_answer();
  CHECK(answer.status == 400);
  CHECK(client.is_closed_by_gateway());
}

TEST_CASE("a valid request before an invalid one is answered first") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send(std::string(kGet) + "GARBAGE\r\n\r\n");
  const auto request = site.worker.next_request();
  site.worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
  CHECK(client.read_answer().body == "ok");
  CHECK(client.read_answer().status == 400);
  CHECK(client.is_closed_by_gateway());
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

TEST_CASE("a client that goes away is told to the worker, and its answer disturbs nobody") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  const auto request = site.worker.next_request();
  client.reset();
  const OwnedFrame abort = site.worker.next();
  CHECK(abort.type == proto::FrameType::kAbort);
  CHECK(proto::parse_abort(as_bytes(abort.payload)).value() == proto::AbortReason::kClientGone);
  const proto::AccessRecord record = site.gateway.next_record();
  CHECK(record.client_aborted);
  CHECK(record.status == 0);
  site.worker.respond(request->stream, 200, "nobody listens");
  HttpClient other = site.gateway.connect();
  other.send(kGet);
  const auto next = site.worker.next_request();
  site.worker.respond(next->stream, 200, "mine", {{"Content-Length", "4"}});
  CHECK(other.read_answer().body == "mine");
}

TEST_CASE("a client that only stops sending still gets a quick answer") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send(kGet);
  client.end_sending();
  const auto request = site.worker.next_request();
  site.worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
  CHECK(client.read_answer().body == "ok");
  CHECK(client.is_closed_by_gateway());
}

TEST_CASE("two fields that may come once only are refused, and so are too many") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n");
  CHECK(client.read_answer().status == 400);
  HttpClient second = site.gateway.connect();
  std::string many = "GET / HTTP/1.1\r\nHost: a.example\r\n";
  for (int i = 0; i < 101; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  second.send(many + "\r\n");
  CHECK(second.read_answer().status == 431);
}

TEST_CASE("an upgrade is ignored and what follows is HTTP") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" +
              std::string(kGet));
  for (int i = 0; i < 2; ++i) {
    const auto request = site.worker.next_request();
    CHECK(request->field("upgrade") == "-");
    site.worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
    CHECK(client.read_answer().body == "ok");
  }
}
