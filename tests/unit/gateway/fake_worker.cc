#include "fake_worker.h"

#include <sys/socket.h>

#include <stdexcept>

namespace rowhouse::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

}  // namespace

std::string SeenRequest::field(std::string_view name) const {
  for (const proto::Field& known : head.fields) {
    if (known.name == name) return std::string(known.value);
  }
  return "-";
}

FakeWorker::FakeWorker(UniqueFd channel, Greeting greeting, std::uint32_t window)
    : channel_(std::move(channel)) {
  if (greeting == Greeting::kNone) return;
  std::string hello;
  proto::append_hello(hello, window);
  send(hello);
}

void FakeWorker::send(std::string_view frames) {
  while (!frames.empty()) {
    const ssize_t count = ::send(channel_.get(), frames.data(), frames.size(), MSG_NOSIGNAL);
    if (count <= 0) return;  // the gateway may have closed on purpose
    frames.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::optional<OwnedFrame> FakeWorker::take_frame() {
  const auto parsed = proto::parse_frame(as_bytes(input_), proto::FrameSender::kGateway);
  if (!parsed.ok()) fail("the gateway sent a bad frame");
  if (!parsed.value()) return std::nullopt;
  const proto::Frame& frame = parsed.value()->frame;
  OwnedFrame owned{frame.type, frame.flags, frame.stream, std::string(as_text(frame.payload))};
  input_.erase(0, parsed.value()->size);
  return owned;
}

OwnedFrame FakeWorker::next(int timeout_ms) {
  while (true) {
    if (auto frame = take_frame()) {
      if (frame->type == proto::FrameType::kHello) continue;
      return *frame;
    }
    if (!fill(timeout_ms)) return {};
  }
}

bool FakeWorker::fill(int timeout_ms) {
  if (!wait_readable(channel_.get(), timeout_ms)) return false;
  char buffer[65536];
  const ssize_t count = ::recv(channel_.get(), buffer, sizeof buffer, 0);
  if (count > 0) input_.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

bool FakeWorker::has_frame() {
  constexpr std::size_t kHelloBytes = proto::kFrameHeaderBytes + 8;
  while (input_.size() < kHelloBytes && fill(0)) {
  }
  const std::size_t greeting = !input_.empty() && input_[4] == static_cast<char>(proto::FrameType::kHello);
  return input_.size() > greeting * kHelloBytes;
}

std::unique_ptr<SeenRequest> FakeWorker::next_request(int timeout_ms) {
  OwnedFrame frame = next(timeout_ms);
  while (frame.type == proto::FrameType::kCredit) frame = next(timeout_ms);
  if (frame.type != proto::FrameType::kRequest) fail("no REQUEST came");
  auto seen = std::make_unique<SeenRequest>();
  seen->stream = frame.stream;
  seen->has_body = !frame.last();
  seen->payload = std::move(frame.payload);
  auto head = proto::parse_request(as_bytes(seen->payload), seen->room);
  if (!head.ok()) fail("REQUEST that cannot be parsed: " + describe(head.error()));
  seen->head = head.value();
  return seen;
}

std::string FakeWorker::read_body(std::uint32_t stream) {
  std::string body;
  while (true) {
    const OwnedFrame frame = next();
    if (frame.type != proto::FrameType::kBody || frame.stream != stream) fail("no BODY came");
    body += frame.payload;
    if (frame.last()) return body;
    std::string credit;
    proto::append_credit(credit, stream, static_cast<std::uint32_t>(frame.payload.size()));
    send(credit);
  }
}

void FakeWorker::respond_head(std::uint32_t stream, std::uint16_t status,
                              std::vector<std::pair<std::string, std::string>> fields) {
  std::vector<proto::Field> list;
  for (const auto& [name, value] : fields) list.push_back({0, name, value});
  std::string out;
  proto::append_response(out, stream, {status, {}, list});
  send(out);
}

void FakeWorker::respond(std::uint32_t stream, std::uint16_t status, std::string_view body,
                         std::vector<std::pair<std::string, std::string>> fields, std::uint64_t service_us) {
  std::vector<proto::Field> list;
  for (const auto& [name, value] : fields) list.push_back({0, name, value});
  std::string out;
  proto::append_response(out, stream, {status, {}, list});
  proto::append_data(out, stream, body);
  proto::append_end(out, stream, {.service_us = service_us});
  send(out);
}

void FakeWorker::start(std::uint32_t stream) {
  std::string out;
  proto::append_start(out, stream);
  send(out);
}

void FakeWorker::data(std::uint32_t stream, std::string_view bytes) {
  std::string out;
  proto::append_data(out, stream, bytes);
  send(out);
}

void FakeWorker::end(std::uint32_t stream, std::uint64_t service_us) {
  std::string out;
  proto::append_end(out, stream, {.service_us = service_us});
  send(out);
}

bool FakeWorker::is_closed_by_gateway() {
  char buffer[65536];
  while (wait_readable(channel_.get())) {
    if (::recv(channel_.get(), buffer, sizeof buffer, 0) <= 0) return true;
  }
  return false;
}

}  // namespace rowhouse::test
