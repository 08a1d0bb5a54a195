// A gateway with workers that answer at once, for measuring: `echo-site WORKERS [BODY_BYTES [GATEWAYS]]`
// prints the port, serves until its input ends, then prints the counters.  The workers are processes and
// speak real frames.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/message_socket.h"
#include "gateway_process.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

// Answers a batch with one write.
[[noreturn]] void run_worker(int channel, std::size_t body_bytes) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string body(body_bytes, 'x');
  const std::string length = std::to_string(body_bytes);
  const proto::Field fields[] = {{6, "content-type", "text/plain"}, {16, "content-length", length}};
  std::string input;
  std::string out;
  proto::append_hello(out, proto::kStreamWindowBytes);
  char buffer[262144];
  while (true) {
    while (!out.empty()) {
      const ssize_t sent = ::send(channel, out.data(), out.size(), MSG_NOSIGNAL);
      if (sent <= 0) ::_exit(0);
      out.erase(0, static_cast<std::size_t>(sent));
    }
    const ssize_t count = ::recv(channel, buffer, sizeof buffer, 0);
    if (count <= 0) ::_exit(0);
    input.append(buffer, static_cast<std::size_t>(count));
    ByteSpan rest = as_bytes(input);
    while (true) {
      const auto parsed = proto::parse_frame(rest, proto::FrameSender::kGateway);
      if (!parsed.ok()) ::_exit(1);
      if (!parsed.value()) break;
      const proto::Frame& frame = parsed.value()->frame;
      rest = rest.subspan(parsed.value()->size);
      if (frame.type != proto::FrameType::kRequest) continue;
      proto::append_response(out, frame.stream, {200, {}, fields});
      proto::append_data(out, frame.stream, body);
      proto::append_end(out, frame.stream, {.service_us = 3});
    }
    input.erase(0, input.size() - rest.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int workers = argc > 1 ? std::atoi(argv[1]) : 2;
  const std::size_t body_bytes = argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 12;
  GatewayProcess gateway;
  gateway.add_app({.host = "127.0.0.1", .concurrency = 100000, .queue = 100000});
  for (int i = 1; i <= workers; ++i) {
    auto pair = create_stream_pair();
    if (!pair.ok()) return 1;
    gateway.send(proto::WorkerAdd{7, 1, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i), 1},
                 {pair.value().theirs.get()});
    if (::fork() == 0) {
      pair.value().theirs.reset();
      run_worker(pair.value().ours.get(), body_bytes);
    }
  }
  gateway.send(proto::Switch{7, 1});
  gateway.expect<proto::Switched>();
  std::printf("%u %d\n", static_cast<unsigned>(gateway.port()), gateway.pid());
  std::fflush(stdout);
  char byte;
  while (::read(0, &byte, 1) > 0) {
  }
  const proto::AppCell& cell = gateway.table().apps[7][0];
  std::printf("requests %llu errors %llu in flight %u queued %u\n",
              static_cast<unsigned long long>(cell.requests.load()),
              static_cast<unsigned long long>(cell.server_errors.load()), cell.in_flight.load(),
              cell.queued.load());
  // The workers have copies of our descriptors, so the end of the control socket would not be seen.
  gateway.send(proto::Retire{1000});
  return gateway.wait_exit() == 0 ? 0 : 1;
}
