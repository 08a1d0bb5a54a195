// Bodies that the gateway takes whole before a worker is occupied, through the real program.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "spooled_site.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

std::string upload(std::size_t bytes, std::string_view method = "POST") {
  return std::string(method) + " /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

// A gateway with a spool directory and an app that buffers.
struct Site {
  explicit Site(AppOptions options = {}, Spool spool = Spool::kThere)
      : directory(gateway, spool), worker((options.buffering = true, gateway.add_app(options), gateway.add_worker())) {}

  GatewayProcess gateway;
  SpoolDirectory directory;
  FakeWorker worker;
};

}  // namespace

TEST_CASE("no worker hears of a request before its body is whole") {
  Site site;
  HttpClient slow = site.gateway.connect();
  slow.send(upload(10) + "hell");
  site.gateway.settle();
  HttpClient quick = site.gateway.connect();
  quick.send("GET /quick HTTP/1.1\r\nHost: a.example\r\n\r\n");
  auto request = site.worker.next_request();
  CHECK(request->head.path_info == "/quick");
  site.worker.respond(request->stream, 200, "q", {{"Content-Length", "1"}});
  CHECK(quick.read_answer().body == "q");

  slow.send("o worl");
  request = site.worker.next_request();
  CHECK(site.worker.read_body(request->stream) == "hello worl");
  site.worker.start(request->stream);
  site.worker.respond(request->stream, 200, "s", {{"Content-Length", "1"}});
  CHECK(slow.read_answer().body == "s");
}

TEST_CASE("a client that waits for 100 gets it though no worker is there yet") {
  Site site;
  HttpClient client = site.gateway.connect();
  client.send("POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.read_some(25).starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("hello");
  const auto request = site.worker.next_request();
  CHECK(site.worker.read_body(request->stream) == "hello");
}

TEST_CASE("a large body goes through a file and arrives byte for byte, of known length and chunked") {
  Site site;
  const std::string body = varied(3'000'000);
  const std::size_t with_client = site.gateway.open_descriptors() + 1;
  for (const bool chunked : {false, true}) {
    CAPTURE(chunked);
    HttpClient client = site.gateway.connect();
    if (!chunked) {
      client.send(upload(body.size()) + body);
    } else {
      client.send("POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
      char line[32];
      for (std::size_t at = 0; at < body.size(); at += 100'000) {
        std::snprintf(line, sizeof line, "%x\r\n", 100'000);
        client.send(line + body.substr(at, 100'000) + "\r\n");
      }
      client.send("0\r\n\r\n");
    }
    const auto request = site.worker.next_request();
    CHECK(std::filesystem::is_empty(site.directory.path()));  // its file has no name
    CHECK(site.worker.read_body(request->stream) == body);
    site.worker.start(request->stream);
    site.worker.respond(request->stream, 200, "k", {{"Content-Length", "1"}});
    CHECK(client.read_answer().body == "k");
    for (int i = 0; i < 1000 && site.gateway.open_descriptors() > with_client; ++i) site.gateway.settle();
    CHECK(site.gateway.open_descriptors() <= with_client);
  }
}

TEST_CASE("without a spool directory the rest of a large body goes as it comes") {
  Site site({}, Spool::kMissing);
  HttpClient client = site.gateway.connect();
  const std::string body = varied(300'000);
  client.send(upload(body.size()) + body.substr(0, 100'000));
  const auto request = site.worker.next_request();  // though the body is not whole
  client.send(body.substr(100'000));
  CHECK(site.worker.read_body(request->stream) == body);
}

TEST_CASE("a body that grows beyond the limit while it is collected is refused, and no worker hears of it") {
  AppOptions options;
  options.body_bytes = 100'000;
  Site site(options);
  HttpClient client = site.gateway.connect();
  client.send("POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send("186a1\r\n" + std::string(100'001, 'x') + "\r\n");
  CHECK(client.read_answer().status == 413);
  site.gateway.settle();
  CHECK_FALSE(site.worker.has_frame());
}

TEST_CASE("what is being collected for an app that goes is refused, and clients that go leave nothing") {
  Site site;
  const std::size_t with_client = site.gateway.open_descriptors() + 1;
  HttpClient client = site.gateway.connect();
  client.send(upload(1'000'000) + std::string(500'000, 'x'));
  HttpClient gone = site.gateway.connect();
  gone.send(upload(1'000'000) + std::string(500'000, 'x'));
  site.gateway.settle();
  gone.reset();
  site.gateway.send(proto::AppRemove{7});
  CHECK(client.read_answer().status == 503);
  for (int i = 0; i < 1000 && site.gateway.open_descriptors() > with_client; ++i) site.gateway.settle();
  CHECK(site.gateway.open_descriptors() <= with_client);
}

TEST_CASE("a worker that dies before it started leaves a whole body for the next") {
  Site site;
  HttpClient client = site.gateway.connect();
  const std::string body = varied(1'000'000);
  client.send(upload(body.size()) + body);
  auto request = site.worker.next_request();
  FakeWorker second = site.gateway.add_worker(2);
  site.worker.close();
  site.gateway.worker_gone(1);
  request = second.next_request();
  CHECK(second.read_body(request->stream) == body);
  second.start(request->stream);
  second.respond(request->stream, 200, "2", {{"Content-Length", "1"}});
  CHECK(client.read_answer().body == "2");
}
