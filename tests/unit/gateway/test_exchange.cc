// Requests and answers through the real program, on real sockets.
#include <doctest/doctest.h>
#include <signal.h>

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
  client.send(
      "GET /p%41th/?x=1 HTTP/1.1\r\nHost: A.example:80\r\nUser-Agent: t\r\nX-Thing: 1\r\nx-thing: 2\r\n"
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

TEST_CASE("a request and the reset behind it, seen at once, are a request that is given up") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  CHECK(client.read_answer().status == 421);
  REQUIRE(::kill(site.gateway.pid(), SIGSTOP) == 0);
  client.send(kGet);
  client.reset();
  REQUIRE(::kill(site.gateway.pid(), SIGCONT) == 0);
  CHECK(site.worker.next_request()->stream == 1);
  CHECK(site.worker.next().type == proto::FrameType::kAbort);
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
