// What the gateway tells the supervisor of an app without a worker, how it asks a worker for its health, and that it
// spares a worker that shall go.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <chrono>

#include "gateway_process.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

proto::Probe probe(std::uint32_t number, std::uint32_t time_ms = 5000, std::uint32_t generation = 1,
                   std::uint32_t worker = 1) {
  proto::Probe made;
  made.probe = number;
  made.app = 7;
  made.generation = generation;
  made.worker = worker;
  made.time_ms = time_ms;
  made.host = proto::Host::cut("a.example");
  made.prefix = proto::Prefix::cut("/blog");
  made.path = proto::Path::cut("/healthz");
  return made;
}

void check(const proto::Probed& answer, std::uint32_t number, proto::ProbeOutcome outcome, std::uint16_t status = 0) {
  CHECK(answer.app == 7);
  CHECK(answer.probe == number);
  CHECK(answer.outcome == outcome);
  CHECK(answer.status == status);
}

}  // namespace

TEST_CASE("an app whose requests wait without a worker is wanted once, and again after a second") {
  GatewayProcess gateway;
  gateway.add_app();
  std::vector<HttpClient> clients;
  const auto began = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < 5; ++i) {
    clients.push_back(gateway.connect());
    clients.back().send(kGet);
    while (gateway.table().apps[7][0].queued.load() != i + 1) gateway.settle();
  }
  gateway.settle();
  const int first = gateway.wanted();
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
  CHECK(first >= 1);
  CHECK(first <= 1 + passed.count());  // not once for each of the five
  CHECK(gateway.expect<proto::AppWanted>().app == 7);
  FakeWorker worker = gateway.add_worker(1);
  for (HttpClient& client : clients) {
    const auto request = worker.next_request();
    worker.respond(request->stream, 200, "", {{"Content-Length", "0"}}, 60000);
    CHECK(client.read_answer().status == 200);
  }
  gateway.settle();
  CHECK_FALSE(gateway.has_message(1200));
}

TEST_CASE("a probe is a GET of the gateway's own, also to a worker that is not in use, and its status is told") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker serving = gateway.add_worker(1);
  auto pair = create_stream_pair();
  REQUIRE(pair.ok());
  gateway.send(proto::WorkerAdd{7, 2, 2, 2, 1}, {pair.value().theirs.get()});
  gateway.send(probe(3, 5000, 2, 2));  // before the worker has greeted
  FakeWorker next(std::move(pair.value().ours));
  const auto request = next.next_request();
  CHECK(request->head.method == proto::Method::kGet);
  CHECK(request->head.script_name == "/blog");
  CHECK(request->head.path_info == "/healthz");
  CHECK(request->field("user-agent") == "Rowhouse-Health/1");
  CHECK_FALSE(request->has_body);
  next.respond(request->stream, 204, "");
  check(gateway.expect<proto::Probed>(), 3, proto::ProbeOutcome::kAnswered, 204);
  CHECK_FALSE(serving.has_frame());
  gateway.settle();  // it is told before it is counted
  CHECK(gateway.table().apps[7][0].in_flight.load() == 0);
  CHECK(gateway.table().apps[7][0].requests.load() == 0);  // no visitor's request
}

TEST_CASE("the whole answer of a probe is read, however long") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  gateway.send(probe(1));
  const auto request = worker.next_request();
  worker.respond_head(request->stream, 503);
  const std::string piece(proto::kMaxDataBytes, 'x');
  std::uint64_t window = proto::kStreamWindowBytes;
  for (int i = 0; i < 40; ++i) {
    while (window < piece.size()) {
      const OwnedFrame frame = worker.next();
      REQUIRE(frame.type == proto::FrameType::kCredit);
      window += proto::parse_credit(as_bytes(frame.payload)).value();
    }
    worker.data(request->stream, piece);
    window -= piece.size();
  }
  worker.end(request->stream);
  check(gateway.expect<proto::Probed>(), 1, proto::ProbeOutcome::kAnswered, 503);
}

TEST_CASE("a probe without an answer in time is told, and its worker must still end it in a request's time") {
  GatewayProcess gateway;
  gateway.add_app({.request_ms = 300});
  FakeWorker worker = gateway.add_worker(1);
  gateway.send(probe(1, 100));
  CHECK(worker.next_request()->head.path_info == "/healthz");
  check(gateway.expect<proto::Probed>(), 1, proto::ProbeOutcome::kTimeOver);
  CHECK(worker.next().type == proto::FrameType::kAbort);
  CHECK(gateway.table().workers[1][0].given_up.load() == 1);
  CHECK(gateway.expect<proto::WorkerFault>().kind == proto::FaultKind::kRequestTimeout);
}

TEST_CASE("a probe that cannot be asked or is lost is told so") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1);
  gateway.send(probe(1, 5000, 9, 9));
  check(gateway.expect<proto::Probed>(), 1, proto::ProbeOutcome::kNotAsked);
  gateway.send(probe(2));
  CHECK(worker.next_request()->stream == 1);
  worker.close();
  check(gateway.expect<proto::Probed>(), 2, proto::ProbeOutcome::kFailed);
  gateway.worker_gone(1);
  gateway.send(probe(3));
  check(gateway.expect<proto::Probed>(), 3, proto::ProbeOutcome::kNotAsked);
}

TEST_CASE("a probe that waits for a worker's greeting ends with its time or with the worker") {
  GatewayProcess gateway;
  gateway.add_app();
  auto pair = create_stream_pair();
  REQUIRE(pair.ok());
  gateway.send(proto::WorkerAdd{7, 1, 1, 1, 1}, {pair.value().theirs.get()});
  gateway.send(probe(1, 100));
  check(gateway.expect<proto::Probed>(), 1, proto::ProbeOutcome::kTimeOver);
  gateway.send(probe(2));
  gateway.worker_gone(1);
  check(gateway.expect<proto::Probed>(), 2, proto::ProbeOutcome::kNotAsked);
}

TEST_CASE("a worker that shall go gets no more requests, and those that it has go on") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1, 4);
  HttpClient running = gateway.connect();
  running.send(kGet);
  const auto request = worker.next_request();
  gateway.send(proto::WorkerLeaving{7, 1, 1});
  HttpClient waiting = gateway.connect();
  waiting.send(kGet);
  while (gateway.table().apps[7][0].queued.load() != 1) gateway.settle();
  CHECK_FALSE(worker.has_frame());
  worker.respond(request->stream, 200, "ok", {{"Content-Length", "2"}});
  CHECK(running.read_answer().status == 200);
  FakeWorker successor = gateway.add_worker(2);
  const auto moved = successor.next_request();
  successor.respond(moved->stream, 200, "ok", {{"Content-Length", "2"}});
  CHECK(waiting.read_answer().status == 200);
  CHECK_FALSE(worker.has_frame());
}

TEST_CASE("streams that nobody waits for are counted while they are open") {
  GatewayProcess gateway;
  gateway.add_app({.request_ms = 200});
  FakeWorker worker = gateway.add_worker(1, 2);
  HttpClient client = gateway.connect();
  client.send(kGet);
  const auto request = worker.next_request();
  CHECK(gateway.table().workers[1][0].given_up.load() == 0);
  CHECK(client.read_answer().status == 504);
  gateway.expect<proto::WorkerFault>();
  CHECK(gateway.table().workers[1][0].given_up.load() == 1);
  CHECK(gateway.table().workers[1][0].in_flight.load() == 1);
  worker.respond(request->stream, 200, "late", {{"Content-Length", "4"}});
  while (gateway.table().workers[1][0].in_flight.load() != 0) gateway.settle();
  CHECK(gateway.table().workers[1][0].given_up.load() == 0);
}

namespace {

struct Door {
  UniqueFd socket;
  std::uint16_t port = 0;
};

Door open_door() {
  Door door;
  door.socket = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(door.socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(door.socket.get(), 64) == 0);
  REQUIRE(::getsockname(door.socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  door.port = ntohs(address.sin_port);
  return door;
}

}  // namespace

TEST_CASE("a listener that goes takes who waits in its line, answers what was asked, and ends its connections") {
  GatewayProcess gateway;
  gateway.add_app();
  FakeWorker worker = gateway.add_worker(1, 8);
  Door door = open_door();
  gateway.send(proto::Listener{5}, {door.socket.get()});
  gateway.send(proto::Listener{5}, {door.socket.get()});  // said again: one listener
  gateway.settle();
  HttpClient idle(door.port), busy(door.port), elsewhere = gateway.connect();
  for (HttpClient* client : {&idle, &elsewhere}) {
    client->send(kGet);
    worker.respond(worker.next_request()->stream, 200, "", {{"Content-Length", "0"}});
    CHECK(client->read_answer().field("Connection") != "close");
  }
  busy.send(kGet);
  const std::uint32_t stream = worker.next_request()->stream;
  HttpClient waiting(door.port);  // perhaps not accepted yet
  waiting.send(kGet);
  gateway.send(proto::ListenerGone{5});
  gateway.send(proto::ListenerGone{77});  // nobody's
  door.socket.reset();
  worker.respond(stream, 200, "whole", {{"Content-Length", "5"}});
  HttpAnswer answer = busy.read_answer();
  CHECK(answer.body == "whole");
  CHECK(answer.field("Connection") == "close");
  worker.respond(worker.next_request()->stream, 200, "too", {{"Content-Length", "3"}});
  answer = waiting.read_answer();
  CHECK(answer.body == "too");
  CHECK(idle.is_closed_by_gateway());
  elsewhere.send(kGet);
  worker.respond(worker.next_request()->stream, 200, "", {{"Content-Length", "0"}});
  CHECK(elsewhere.read_answer().status == 200);
}
