// Which requests run a second time when their worker dies, and what is told of those that it had; through the real
// program.
#include <doctest/doctest.h>

#include "gateway_process.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace

TEST_CASE("a POST that never started goes to another worker with its body, once") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker first = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send(kPost);
  auto request = first.next_request();
  CHECK(first.read_body(request->stream) == "hello");
  FakeWorker second = gateway.add_worker(2);
  first.close();
  gateway.worker_gone(1);
  request = second.next_request();
  CHECK(request->head.body_length == 5);
  CHECK(second.read_body(request->stream) == "hello");
  FakeWorker third = gateway.add_worker(3);
  second.close();
  gateway.worker_gone(2);
  CHECK(client.read_answer().status == 502);
  gateway.settle();
  CHECK_FALSE(third.has_frame());
}

TEST_CASE("a POST whose client still sends its body goes to another worker whole") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker first = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello");
  auto request = first.next_request();
  CHECK(first.next().payload == "hello");
  first.close();
  gateway.worker_gone(1);
  FakeWorker second = gateway.add_worker(2);
  request = second.next_request();
  client.send("world");
  CHECK(second.read_body(request->stream) == "helloworld");
  second.start(request->stream);
  second.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
  CHECK(client.read_answer().body == "ok");
}

TEST_CASE("a POST that started and a GET are never sent twice") {
  for (const std::string_view request_text : {kPost, kGet}) {
    GatewayProcess gateway;
    gateway.add_app();
    FakeWorker first = gateway.add_worker(1);
    HttpClient client = gateway.connect();
    client.send(request_text);
    const auto request = first.next_request();
    if (request->has_body) first.start(request->stream);
    gateway.settle();
    FakeWorker second = gateway.add_worker(2);
    first.close();
    gateway.worker_gone(1);
    const HttpAnswer answer = client.read_answer();
    CHECK(answer.status == 502);
    CHECK(answer.field("Rowhouse-Cause") == "RH-WORKER-GONE");
    gateway.settle();
    CHECK_FALSE(second.has_frame());
  }
}

TEST_CASE("with retry: idempotent a GET or PUT that had begun runs once more, a POST never, none twice") {
  constexpr std::string_view kPut = "PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
  for (const std::string_view text : {kGet, kPut, kPost}) {
    GatewayProcess gateway;
    gateway.add_app({.retry = proto::RetryPolicy::kIdempotent});
    FakeWorker first = gateway.add_worker(1);
    HttpClient client = gateway.connect();
    client.send(text);
    auto request = first.next_request();
    first.start(request->stream);
    if (request->has_body) CHECK(first.read_body(request->stream) == "hello");
    gateway.settle();
    FakeWorker second = gateway.add_worker(2);
    first.close();
    gateway.worker_gone(1);
    if (text == kPost) {
      CHECK(client.read_answer().status == 502);
      gateway.settle();
      CHECK_FALSE(second.has_frame());
      continue;
    }
    request = second.next_request();
    if (request->has_body) CHECK(second.read_body(request->stream) == "hello");
    FakeWorker third = gateway.add_worker(3);
    second.close();
    gateway.worker_gone(2);
    CHECK(client.read_answer().status == 502);
    gateway.settle();
    CHECK_FALSE(third.has_frame());
  }
}

TEST_CASE("a PUT with retry: idempotent is not repeated when its answer has begun, nor when its body is too large") {
  GatewayProcess gateway;
  gateway.add_app({.retry = proto::RetryPolicy::kIdempotent});
  FakeWorker first = gateway.add_worker(1);
  HttpClient begun = gateway.connect();
  begun.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello");
  auto request = first.next_request();
  first.start(request->stream);
  first.respond_head(request->stream, 200);
  CHECK(begun.read_some(1).size() > 0);
  FakeWorker second = gateway.add_worker(2);
  first.close();
  gateway.worker_gone(1);
  CHECK(begun.read_to_end().find("0\r\n\r\n") == std::string::npos);
  gateway.settle();
  CHECK_FALSE(second.has_frame());
  HttpClient large = gateway.connect();
  const std::string body(300'000, 'b');
  large.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 300000\r\n\r\n" + body);
  request = second.next_request();
  second.start(request->stream);
  CHECK(second.read_body(request->stream) == body);
  FakeWorker third = gateway.add_worker(3);
  second.close();
  gateway.worker_gone(2);
  CHECK(large.read_answer().status == 502);
  gateway.settle();
  CHECK_FALSE(third.has_frame());
}

TEST_CASE("a request that a worker had when it was lost is told, and one that never ran is not") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker first = gateway.add_worker(1, 4);
  HttpClient waiting = gateway.connect();
  waiting.send("POST /pay?card=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n");
  const auto started = first.next_request();
  first.start(started->stream);
  HttpClient unstarted = gateway.connect();
  unstarted.send("POST /unstarted HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n");
  CHECK(first.next_request()->head.path_info == "/unstarted");
  FakeWorker second = gateway.add_worker(2, 4);
  first.close();
  gateway.worker_gone(1);
  const proto::RunningRecord record = gateway.next_running();
  CHECK(record.app == 7);
  CHECK(record.generation == 1);
  CHECK(record.worker == 1);
  CHECK(record.phase == proto::RunningPhase::kStarted);
  CHECK_FALSE(record.client_gone);
  CHECK(record.method == "POST");
  CHECK(record.path == "/pay");
  CHECK(record.host == "a.example");
  CHECK(record.request_id.size() == 16);
  CHECK(waiting.read_answer().status == 502);
  // The other one runs elsewhere; what is lost there is the next that is told.
  const auto moved = second.next_request();
  CHECK(moved->head.path_info == "/unstarted");
  second.start(moved->stream);
  gateway.settle();
  second.close();
  gateway.worker_gone(2);
  CHECK(gateway.next_running().path == "/unstarted");
}

TEST_CASE("a request whose client has gone is told too when its worker is lost") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1, 4);
  HttpClient client = gateway.connect();
  client.send("GET /heavy HTTP/1.1\r\nHost: a.example\r\n\r\n");
  CHECK(worker.next_request()->head.path_info == "/heavy");
  client.reset();
  CHECK(worker.next().type == proto::FrameType::kAbort);
  worker.close();
  gateway.worker_gone(1);
  const proto::RunningRecord record = gateway.next_running();
  CHECK(record.path == "/heavy");
  CHECK(record.client_gone);
}
