// What clients see when workers die, drain, hang or break the protocol; through the real program.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>

#include "gateway_process.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

}  // namespace

TEST_CASE("a response that was not ended is visibly cut, in every framing") {
  GatewayProcess gateway;
  gateway.add_app();
  struct Case {
    std::string_view request;
    std::vector<std::pair<std::string, std::string>> fields;
    bool reset;
  };
  const Case cases[] = {
      {kGet, {}, false},
      {kGet, {{"Content-Length", "100"}}, false},
      {"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n", {}, true},
  };
  std::uint32_t id = 0;
  for (const Case& one : cases) {
    FakeWorker worker = gateway.add_worker(++id);
    HttpClient client = gateway.connect();
    client.send(one.request);
    const auto request = worker.next_request();
    worker.respond_head(request->stream, 200, one.fields);
    worker.data(request->stream, "part");
    CHECK(client.read_some(1).size() > 0);
    worker.close();
    gateway.worker_gone(id);
    const std::string rest = client.read_to_end();
    CHECK(rest.find("0\r\n\r\n") == std::string::npos);
    CHECK(client.was_reset() == one.reset);
    const proto::AccessRecord record = gateway.next_record();
    CHECK(record.status == 200);
    CHECK(record.cause == proto::Cause::kWorkerGone);
  }
}

TEST_CASE("a channel that is closed with the request unread is noticed before WorkerGone") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient done = gateway.connect();
  done.send(kGet);
  const auto request = worker.next_request();
  HttpClient client = gateway.connect();
  REQUIRE(::kill(gateway.pid(), SIGSTOP) == 0);
  worker.respond(request->stream, 200, "done", {{"Content-Length", "4"}});
  REQUIRE(::kill(gateway.pid(), SIGCONT) == 0);
  CHECK(done.read_answer().body == "done");
  client.send(kGet);
  CHECK(wait_readable(worker.fd()));
  worker.close();
  CHECK(client.read_answer().status == 502);
}

TEST_CASE("what a dead worker wrote before it died still counts, whichever news comes first") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send(kGet);
  const auto request = worker.next_request();
  // A child that the app forked holds the channel open: only WorkerGone tells.
  worker.respond(request->stream, 200, "done", {{"Content-Length", "4"}});
  gateway.worker_gone(1);
  CHECK(client.read_answer().body == "done");
  CHECK(worker.is_closed_by_gateway());
}

TEST_CASE("after DRAIN later streams move on, earlier ones finish, and nothing new arrives") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker first = gateway.add_worker(1, 4);
  std::vector<HttpClient> clients;
  std::vector<std::uint32_t> streams;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(gateway.connect());
    clients.back().send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a.example\r\n\r\n");
    streams.push_back(first.next_request()->stream);
  }
  FakeWorker second = gateway.add_worker(2, 4);
  std::string drain;
  proto::append_drain(drain, streams[1]);
  first.send(drain);
  for (int i = 2; i < 4; ++i) {
    const auto moved = second.next_request();
    CHECK(moved->head.path_info == "/" + std::to_string(i));
    second.respond(moved->stream, 200, "second", {{"Content-Length", "6"}});
    CHECK(clients[static_cast<std::size_t>(i)].read_answer().body == "second");
  }
  HttpClient late = gateway.connect();
  late.send(kGet);
  const auto request = second.next_request();
  second.respond(request->stream, 200, "late", {{"Content-Length", "4"}});
  CHECK(late.read_answer().body == "late");
  for (std::size_t i = 0; i < 2; ++i) {
    first.respond(streams[i], 200, "first", {{"Content-Length", "5"}});
    CHECK(clients[i].read_answer().body == "first");
  }
}

TEST_CASE("after a switch the new generation gets the requests and the old one finishes its own") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker old = gateway.add_worker(1, 1, 7, 1);
  HttpClient running = gateway.connect();
  running.send(kGet);
  const auto held = old.next_request();
  FakeWorker fresh = gateway.add_worker(1, 1, 7, 2);
  HttpClient client = gateway.connect();
  client.send(kGet);
  const auto request = fresh.next_request();
  fresh.respond(request->stream, 200, "new", {{"Content-Length", "3"}});
  CHECK(client.read_answer().body == "new");
  old.respond(held->stream, 200, "old", {{"Content-Length", "3"}});
  CHECK(running.read_answer().body == "old");
  gateway.worker_gone(1, 7, 1);
  CHECK(old.is_closed_by_gateway());
}

TEST_CASE("a request over its time is 504, its worker is reported once and hears ABORT") {
  GatewayProcess gateway;
  gateway.add_app({.request_ms = 150});
  FakeWorker worker = gateway.add_worker(1, 2);
  HttpClient client = gateway.connect();
  HttpClient other = gateway.connect();
  client.send(kGet);
  CHECK(worker.next_request()->stream == 1);
  other.send(kGet);
  CHECK(worker.next_request()->stream == 2);
  const HttpAnswer answer = client.read_answer();
  CHECK(answer.status == 504);
  CHECK(answer.field("Rowhouse-Cause") == "RH-REQUEST-TIMEOUT");
  CHECK(other.read_answer().status == 504);
  const auto fault = gateway.expect<proto::WorkerFault>();
  CHECK(fault.worker == 1);
  CHECK(fault.generation == 1);
  CHECK(fault.kind == proto::FaultKind::kRequestTimeout);
  CHECK(worker.next().type == proto::FrameType::kAbort);
  gateway.settle();  // and no second fault
}

TEST_CASE("a request whose client left still has to end in time") {
  GatewayProcess gateway;
  gateway.add_app({.request_ms = 150});
  FakeWorker worker = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send(kGet);
  CHECK(worker.next_request()->stream == 1);
  client.reset();
  CHECK(gateway.expect<proto::WorkerFault>().kind == proto::FaultKind::kRequestTimeout);
}

TEST_CASE("a client that does not read is no fault of the worker") {
  GatewayProcess gateway;
  gateway.add_app({.request_ms = 1000});
  FakeWorker worker = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send(kGet);
  const auto request = worker.next_request();
  worker.respond_head(request->stream, 200);
  // More than the buffers of the sockets take: the window is used up and stays so for twice the request's
  // time.
  std::size_t window = 262'144;
  const std::string piece(32768, 'z');
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
  while (std::chrono::steady_clock::now() < until) {
    if (window >= piece.size()) {
      worker.data(request->stream, piece);
      window -= piece.size();
    } else if (worker.has_frame() || wait_readable(worker.fd(), 100)) {
      const OwnedFrame frame = worker.next();
      REQUIRE(frame.type == proto::FrameType::kCredit);
      window += proto::parse_credit(as_bytes(frame.payload)).value();
    }
  }
  CHECK_FALSE(gateway.has_message());
  while (!worker.has_frame() && !client.read_some(1, 1000).empty()) {
  }
  CHECK(worker.next().type == proto::FrameType::kCredit);
  worker.end(request->stream);
  std::string tail;
  while (!tail.ends_with("0\r\n\r\n")) {
    const std::string more = client.read_some(1);
    REQUIRE_FALSE(more.empty());
    tail = (tail + more).substr(tail.size() + more.size() < 5 ? 0 : tail.size() + more.size() - 5);
  }
  CHECK_FALSE(gateway.has_message());
}

TEST_CASE("a worker that breaks the protocol is reported, its channel closed, its streams answered") {
  GatewayProcess gateway;
  gateway.add_app();
  struct Case {
    const char* what;
    std::string (*bytes)(std::uint32_t stream);
  };
  const Case cases[] = {
      {"random bytes", [](std::uint32_t) { return std::string(1 << 20, '\xa5'); }},
      {"END before RESPONSE",
       [](std::uint32_t stream) {
         std::string out;
         proto::append_end(out, stream, {.service_us = 1});
         return out;
       }},
      {"a stream that was never opened",
       [](std::uint32_t) {
         std::string out;
         proto::append_start(out, 0xffffffff);
         return out;
       }},
      {"a status out of range",
       [](std::uint32_t stream) {
         std::string out;
         proto::append_response(out, stream, {600, {}, {}});
         return out;
       }},
  };
  std::uint32_t id = 0;
  for (const Case& one : cases) {
    CAPTURE(one.what);
    FakeWorker worker = gateway.add_worker(++id);
    HttpClient client = gateway.connect();
    client.send(kGet);
    const auto request = worker.next_request();
    worker.send(one.bytes(request->stream));
    CHECK(client.read_answer().status == 502);
    const auto fault = gateway.expect<proto::WorkerFault>();
    CHECK(fault.worker == id);
    CHECK(fault.kind == proto::FaultKind::kProtocol);
    CHECK(worker.is_closed_by_gateway());
    gateway.worker_gone(id);
  }
}

TEST_CASE("a response that breaks HTTP is 502 and the worker goes on") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  const std::vector<std::pair<std::string, std::string>> bad[] = {
      {{"X-Split", "x\r\nSet-Cookie: a=b"}},
      {{"Content-Length", "5, 5"}},
      {{"Bad Name", "1"}},
  };
  for (const auto& fields : bad) {
    HttpClient client = gateway.connect();
    client.send(kGet);
    const auto request = worker.next_request();
    worker.respond_head(request->stream, 200, fields);
    const HttpAnswer answer = client.read_answer();
    CHECK(answer.status == 502);
    CHECK(answer.field("Rowhouse-Cause") == "RH-BAD-RESPONSE");
    CHECK(answer.head.find("Set-Cookie") == std::string::npos);
    CHECK(worker.next().type == proto::FrameType::kAbort);
    worker.end(request->stream);
  }
  gateway.settle();
}

TEST_CASE("more body than Content-Length says is not sent, and less cuts the answer") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send(kGet);
  auto request = worker.next_request();
  worker.respond(request->stream, 200, "0123456789", {{"Content-Length", "5"}});
  CHECK(client.read_answer().body == "01234");
  CHECK(client.is_closed_by_gateway());
  CHECK(worker.next().type == proto::FrameType::kAbort);
  HttpClient second = gateway.connect();
  second.send(kGet);
  request = worker.next_request();
  worker.respond(request->stream, 200, "01234", {{"Content-Length", "10"}});
  const HttpAnswer answer = second.read_answer();
  CHECK(answer.status == 200);
  CHECK_FALSE(answer.complete);
}

TEST_CASE("an app that failed before its head is 500, and one that failed after it is cut") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send(kGet);
  auto request = worker.next_request();
  std::string abort;
  proto::append_abort(abort, request->stream, proto::AbortReason::kAppFailedBeforeHead);
  worker.send(abort);
  const auto failed = client.read_answer();
  CHECK(failed.status == 500);
  CHECK(failed.field("Rowhouse-Cause") == "RH-APP-ERROR");
  client.send(kGet);
  request = worker.next_request();
  worker.respond_head(request->stream, 200);
  abort.clear();
  proto::append_abort(abort, request->stream, proto::AbortReason::kAppFailedAfterHead);
  worker.send(abort);
  CHECK_FALSE(client.read_answer().complete);
}
