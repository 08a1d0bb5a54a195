// Queues, limits, conditions and the supervisor's wishes, through the real program.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include "gateway_process.h"
#include "proto/common_messages.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

std::string get(int number) {
  return "GET /" + std::to_string(number) + " HTTP/1.1\r\nHost: a.example\r\n\r\n";
}

}  // namespace

TEST_CASE("requests wait for a worker that comes, in order, and are counted while they wait") {
  GatewayProcess gateway;
  gateway.add_app();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(gateway.connect());
    clients.back().send(get(i));
    while (gateway.table().apps[7][0].queued.load() != static_cast<std::uint32_t>(i + 1)) gateway.settle();
  }
  FakeWorker worker = gateway.add_worker(1);
  for (int i = 0; i < 3; ++i) {
    const auto request = worker.next_request();
    CHECK(request->head.path_info == "/" + std::to_string(i));
    worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}}, 1000);
    CHECK(clients[static_cast<std::size_t>(i)].read_answer().status == 200);
  }
  gateway.settle();
  const proto::AppCell& cell = gateway.table().apps[7][0];
  CHECK(cell.queued.load() == 0);
  CHECK(cell.in_flight.load() == 0);
  CHECK(cell.requests.load() == 3);
  CHECK(cell.bytes_out.load() == 6);
  CHECK(cell.queue_wait_us.load() > 0);
  CHECK(gateway.table().workers[1][0].in_flight.load() == 0);
  CHECK(gateway.table().workers[1][0].requests.load() == 3);
}

TEST_CASE("a full queue is 503 at once, and a place in it is given up after its time") {
  GatewayProcess gateway;
  gateway.add_app({.queue_ms = 300, .queue = 1});
  HttpClient waiting = gateway.connect();
  waiting.send(kGet);
  while (gateway.table().apps[7][0].queued.load() != 1) gateway.settle();
  HttpClient client = gateway.connect();
  client.send(kGet);
  HttpAnswer answer = client.read_answer();
  CHECK(answer.status == 503);
  CHECK(answer.field("Rowhouse-Cause") == "RH-QUEUE-FULL");
  CHECK(answer.field("Retry-After") != "");
  answer = waiting.read_answer();
  CHECK(answer.status == 503);
  CHECK(answer.field("Rowhouse-Cause") == "RH-QUEUE-TIMEOUT");
}

TEST_CASE("the queue and the concurrency of other gateways count") {
  GatewayProcess gateway(2);
  gateway.add_app({.queue_ms = 300, .concurrency = 3, .queue = 5});
  FakeWorker worker = gateway.add_worker(1, 8);
  gateway.table().apps[7][1].in_flight.store(2);
  HttpClient first = gateway.connect();
  first.send(kGet);
  const auto request = worker.next_request();
  HttpClient second = gateway.connect();
  second.send(kGet);
  while (gateway.table().apps[7][0].queued.load() != 1) gateway.settle();
  CHECK_FALSE(worker.has_frame());
  gateway.table().apps[7][1].queued.store(4);
  HttpClient third = gateway.connect();
  third.send(kGet);
  CHECK(third.read_answer().field("Rowhouse-Cause") == "RH-QUEUE-FULL");
  // The other gateway gives up its place without a word.
  gateway.table().apps[7][1].in_flight.store(1);
  const auto next = worker.next_request();
  worker.respond(next->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(second.read_answer().status == 200);
  worker.respond(request->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(first.read_answer().status == 200);
}

TEST_CASE("a worker that other gateways fill still takes one request of ours") {
  GatewayProcess gateway(2);
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1, 2);
  gateway.table().workers[1][1].in_flight.store(2);
  HttpClient first = gateway.connect();
  first.send(kGet);
  const auto request = worker.next_request();
  HttpClient second = gateway.connect();
  second.send(kGet);
  while (gateway.table().apps[7][0].queued.load() != 1) gateway.settle();
  CHECK_FALSE(worker.has_frame());
  worker.respond(request->stream, 200, "", {{"Content-Length", "0"}}, 1000);
  CHECK(worker.next_request()->stream == 2);
}

TEST_CASE("fast GETs are prefetched behind the running one, POSTs and slow ones are not") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1, 1);
  std::vector<HttpClient> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(gateway.connect());
  const auto in_flight = [&](std::uint64_t service_us, std::string_view text) {
    // Teaches the gateway the service time, then offers many requests at once.
    clients[0].send(kGet);
    const auto lesson = worker.next_request();
    worker.respond(lesson->stream, 200, "", {{"Content-Length", "0"}}, service_us);
    clients[0].read_answer();
    for (int i = 0; i < 30; ++i) clients[static_cast<std::size_t>(i)].send(text);
    while (gateway.table().apps[7][0].queued.load() + gateway.table().apps[7][0].in_flight.load() < 30) {
      gateway.settle();
    }
    const std::uint32_t count = gateway.table().apps[7][0].in_flight.load();
    for (int i = 0; i < 30; ++i) {
      const auto request = worker.next_request();
      std::string out;
      if (request->head.method == proto::Method::kPost) proto::append_start(out, request->stream);
      worker.send(out);
      worker.respond(request->stream, 200, "", {{"Content-Length", "0"}}, service_us);
    }
    for (int i = 0; i < 30; ++i) clients[static_cast<std::size_t>(i)].read_answer();
    return count;
  };
  CHECK(in_flight(1, kGet) == 16);
  CHECK(in_flight(1, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n") == 1);
  CHECK(in_flight(60'000, kGet) == 1);
}

TEST_CASE("conditions of an app answer at once") {
  GatewayProcess gateway;
  gateway.add_app();
  HttpClient waiting = gateway.connect();
  waiting.send(kGet);
  while (gateway.table().apps[7][0].queued.load() != 1) gateway.settle();
  gateway.send(proto::AppConditionChange{7, proto::AppCondition::kBackoff, 17});
  HttpAnswer answer = waiting.read_answer();
  CHECK(answer.status == 503);
  CHECK(answer.field("Rowhouse-Cause") == "RH-BACKOFF");
  CHECK(answer.field("Retry-After") == "17");
  FakeWorker worker = gateway.add_worker(1);
  waiting.send(kGet);
  const auto request = worker.next_request();
  worker.respond(request->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(waiting.read_answer().status == 200);
  gateway.send(proto::AppConditionChange{7, proto::AppCondition::kStopped, 0});
  gateway.settle();
  waiting.send(kGet);
  answer = waiting.read_answer();
  CHECK(answer.status == 503);
  CHECK(answer.field("Rowhouse-Cause") == "RH-STOPPED");
  gateway.send(proto::AppConditionChange{7, proto::AppCondition::kSuspended, 0});
  gateway.settle();
  waiting.send(kGet);
  answer = waiting.read_answer();
  CHECK(answer.status == 503);
  CHECK(answer.field("Rowhouse-Cause") == "RH-SUSPENDED");
  gateway.send(proto::AppRemove{7});
  gateway.settle();
  waiting.send(kGet);
  CHECK(waiting.read_answer().status == 421);
  CHECK(worker.is_closed_by_gateway());
}

TEST_CASE("a removed app refuses what waited") {
  GatewayProcess gateway;
  gateway.add_app();
  HttpClient waiting = gateway.connect();
  waiting.send(kGet);
  while (gateway.table().apps[7][0].queued.load() != 1) gateway.settle();
  gateway.send(proto::AppRemove{7});
  CHECK(waiting.read_answer().field("Rowhouse-Cause") == "RH-STOPPED");
}

TEST_CASE("a new revision replaces routes and limits and keeps workers") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  gateway.add_app({.host = "b.example", .body_bytes = 10});
  HttpClient client = gateway.connect();
  client.send(kGet);
  CHECK(client.read_answer().status == 421);
  client.send("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  const auto request = worker.next_request();
  worker.respond(request->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(client.read_answer().status == 200);
  client.send("POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 11\r\n\r\n");
  CHECK(client.read_answer().status == 413);
}

TEST_CASE("static files are served without a worker, small and large ones whole") {
  char directory[] = "/tmp/gateway-static-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  REQUIRE(::chmod(directory, 0755) == 0);
  const std::string small(1000, 's');
  std::string large;
  for (int i = 0; i < 3'000'000; ++i) large.push_back(static_cast<char>('a' + i % 23));
  std::ofstream(std::string(directory) + "/small.css") << small;
  std::ofstream(std::string(directory) + "/large.bin") << large;
  GatewayProcess gateway;
  gateway.add_app({.static_prefix = "/static/", .static_directory = directory});
  HttpClient client = gateway.connect();
  client.send("GET /static/small.css HTTP/1.1\r\nHost: a.example\r\n\r\n");
  HttpAnswer answer = client.read_answer();
  CHECK(answer.status == 200);
  CHECK(answer.body == small);
  CHECK(answer.field("Content-Type").starts_with("text/css"));
  const std::string tag = answer.field("ETag");
  client.send("GET /static/small.css HTTP/1.1\r\nHost: a.example\r\nIf-None-Match: " + tag + "\r\n\r\n");
  CHECK(client.read_answer().status == 304);
  client.send("GET /static/large.bin HTTP/1.1\r\nHost: a.example\r\n\r\n" +
              std::string("HEAD /static/large.bin HTTP/1.1\r\nHost: a.example\r\n\r\n"));
  answer = client.read_answer();
  CHECK(answer.complete);
  CHECK(answer.body == large);
  CHECK(client.read_answer("HEAD").field("Content-Length") == std::to_string(large.size()));
  client.send("GET /static/../static/none HTTP/1.1\r\nHost: a.example\r\n\r\n");
  CHECK(client.read_answer().status == 404);
  client.send("DELETE /static/small.css HTTP/1.1\r\nHost: a.example\r\n\r\n");
  CHECK(client.read_answer().status == 405);
  ::unlink((std::string(directory) + "/small.css").c_str());
  ::unlink((std::string(directory) + "/large.bin").c_str());
  ::rmdir(directory);
}

TEST_CASE("a gateway that retires finishes what runs and exits 0") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient idle = gateway.connect();
  HttpClient busy = gateway.connect();
  busy.send(kGet);
  const auto request = worker.next_request();
  gateway.send(proto::Retire{5000});
  CHECK(idle.is_closed_by_gateway());
  worker.respond(request->stream, 200, "bye", {{"Content-Length", "3"}});
  const HttpAnswer answer = busy.read_answer();
  CHECK(answer.body == "bye");
  CHECK(answer.field("Connection") == "close");
  CHECK(gateway.wait_exit() == 0);
}

TEST_CASE("a request that is on its way to a gateway that retires is answered, and told that it was the last") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient fresh = gateway.connect();
  HttpClient kept = gateway.connect();
  kept.send(kGet);
  worker.respond(worker.next_request()->stream, 200, "one", {{"Content-Length", "3"}});
  CHECK(kept.read_answer().field("Connection") != "close");
  gateway.send(proto::Retire{5000});
  for (HttpClient* client : {&fresh, &kept}) {
    client->send(kGet);
    worker.respond(worker.next_request()->stream, 200, "two", {{"Content-Length", "3"}});
    const HttpAnswer answer = client->read_answer();
    CHECK(answer.body == "two");
    CHECK(answer.field("Connection") == "close");
    CHECK(client->is_closed_by_gateway());
  }
  CHECK(gateway.wait_exit() == 0);
}

TEST_CASE("a gateway that retires waits no longer than it was told") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient busy = gateway.connect();
  busy.send(kGet);
  CHECK(worker.next_request()->stream == 1);
  gateway.send(proto::Retire{100});
  CHECK(gateway.wait_exit() == 0);
}

TEST_CASE("an answer that ends with the gateway does not look complete") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  HttpClient client = gateway.connect();
  client.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
  const auto request = worker.next_request();
  worker.respond_head(request->stream, 200);
  worker.data(request->stream, "part");
  CHECK(client.read_some(1).size() > 0);
  SUBCASE("because it retires") {
    gateway.send(proto::Retire{50});
  }
  SUBCASE("because the supervisor has gone") {
    gateway.close_control();
  }
  client.read_to_end();
  CHECK(client.was_reset());
}

TEST_CASE("the end of the supervisor is the end of the gateway") {
  GatewayProcess gateway;
  gateway.close_control();
  CHECK(gateway.wait_exit() == 0);
}

TEST_CASE("a message that cannot be right ends the gateway with 1") {
  SUBCASE("not decodable") {
    GatewayProcess gateway;
    const std::uint8_t bytes[] = {1, 0, 9, 9};
    CHECK(::send(gateway.control(), bytes, sizeof bytes, 0) == sizeof bytes);
    CHECK(gateway.wait_exit() == 1);
  }
  SUBCASE("not permitted") {
    GatewayProcess gateway;
    gateway.send(proto::GatewayReady{});
    CHECK(gateway.wait_exit() == 1);
  }
  SUBCASE("out of order") {
    GatewayProcess gateway;
    gateway.send(proto::AppCommit{9, 1});
    CHECK(gateway.wait_exit() == 1);
  }
}

TEST_CASE("a head that does not come to its end is 408") {
  // The real time of a head is ten seconds; this case takes them.
  GatewayProcess gateway;
  gateway.add_app();
  HttpClient client = gateway.connect();
  client.send("GET / HTTP/1.1\r\nHost:");
  HttpClient silent = gateway.connect();
  CHECK(wait_readable(client.fd(), 12'000));
  CHECK(client.read_answer().status == 408);
  CHECK(silent.is_closed_by_gateway());
}

TEST_CASE("a connection over the tenant's limit gets 503 with its cause, and one that closes makes room") {
  GatewayProcess gateway(2);
  gateway.add_app({.connections = 3});
  FakeWorker worker = gateway.add_worker(1, 8);
  gateway.table().traffic[7][1].connections.store(1);  // of the other gateway
  const auto ask = [&](HttpClient& client) {
    client.send(kGet);
    worker.respond(worker.next_request()->stream, 200, "ok", {{"Content-Length", "2"}});
    return client.read_answer().status;
  };
  HttpClient first = gateway.connect();
  CHECK(ask(first) == 200);
  CHECK(ask(first) == 200);
  CHECK(gateway.table().traffic[7][0].connections.load() == 1);
  {
    HttpClient second = gateway.connect();
    CHECK(ask(second) == 200);
    HttpClient third = gateway.connect();
    third.send(kGet);
    const HttpAnswer answer = third.read_answer();
    CHECK(answer.status == 503);
    CHECK(answer.field("Rowhouse-Cause") == "RH-CONNECTIONS");
    CHECK(answer.field("Retry-After") == "1");
    CHECK(answer.field("Connection") == "close");
    CHECK_FALSE(worker.has_frame());
    CHECK(ask(first) == 200);  // it is one of them already
  }
  while (gateway.table().traffic[7][0].connections.load() != 1) gateway.settle();
  HttpClient fourth = gateway.connect();
  CHECK(ask(fourth) == 200);
  gateway.add_app();  // the limit is lifted
  HttpClient fifth = gateway.connect();
  CHECK(ask(fifth) == 200);
}

TEST_CASE("an answer leaves as fast as the tenant's bytes allow, whole") {
  GatewayProcess gateway;
  gateway.add_app({.bytes_out = 100'000});
  FakeWorker worker = gateway.add_worker(1, 2);
  HttpClient client = gateway.connect();
  const auto start = std::chrono::steady_clock::now();
  client.send(kGet);
  const std::string body(180'000, 'x');
  const std::uint32_t stream = worker.next_request()->stream;
  worker.respond_head(stream, 200, {{"Content-Length", "180000"}});
  for (std::size_t at = 0; at < body.size(); at += 30'000) worker.data(stream, std::string_view(body).substr(at, 30'000));
  worker.end(stream);
  const HttpAnswer answer = client.read_answer();
  CHECK(answer.body == body);
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(700));
  CHECK(gateway.table().traffic[7][0].bytes_out.load() > 180'000);
}
