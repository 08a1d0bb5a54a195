#include "worker/channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace rowhouse::worker {
namespace {

constexpr std::size_t kMaxSpareStreams = 2 * proto::kMaxPrefetch;
constexpr std::size_t kKeptBodyBytes = 64 * 1024;
constexpr std::size_t kKeptOutputBytes = 512 * 1024;

Error invalid(const char* operation) {
  return make_error(ErrorCode::kInvalid, operation);
}

void erase_stream(std::vector<std::unique_ptr<Stream>>& streams, const Stream& stream,
                  std::unique_ptr<Stream>& taken) {
  const auto found = std::find_if(streams.begin(), streams.end(),
                                  [&](const auto& candidate) { return candidate.get() == &stream; });
  if (found == streams.end()) return;
  taken = std::move(*found);
  streams.erase(found);
}

}  // namespace

Channel::Channel(UniqueFd socket, ChannelListener& listener)
    : socket_(std::move(socket)),
      listener_(listener),
      input_(std::make_unique_for_overwrite<std::uint8_t[]>(kInputBytes)) {
  proto::append_hello(output_, proto::kStreamWindowBytes);
}

// --- input ----------------------------------------------------------------------------------------------

Status Channel::receive() {
  ssize_t received = -1;
  do {
    received = ::recv(socket_.get(), input_.get() + input_bytes_, kInputBytes - input_bytes_, MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received == 0) return make_error(ErrorCode::kClosed, "recv");
  if (received < 0) {
    if (errno == ECONNRESET) return make_error(ErrorCode::kClosed, "recv");
    return system_error("recv");
  }
  input_bytes_ += static_cast<std::size_t>(received);
  return {};
}

Status Channel::process() {
  std::size_t taken = 0;
  while (true) {
    const ByteSpan rest(input_.get() + taken, input_bytes_ - taken);
    RH_ASSIGN(const auto parsed, proto::parse_frame(rest, proto::FrameSender::kGateway));
    if (!parsed) break;
    RH_TRY(take_frame(parsed->frame));
    taken += parsed->size;
  }
  input_bytes_ -= taken;
  if (taken != 0 && input_bytes_ != 0) std::memmove(input_.get(), input_.get() + taken, input_bytes_);
  return {};
}

Status Channel::take_frame(const proto::Frame& frame) {
  if (!hello_seen_ && frame.type != proto::FrameType::kHello) return invalid("frame before HELLO");
  switch (frame.type) {
    case proto::FrameType::kHello:
      return take_hello(frame);
    case proto::FrameType::kRequest:
      return take_request(frame);
    case proto::FrameType::kBody:
      return take_body_frame(frame);
    case proto::FrameType::kAbort:
      return take_abort(frame);
    case proto::FrameType::kCredit:
      return take_credit(frame);
    case proto::FrameType::kStart:
    case proto::FrameType::kResponse:
    case proto::FrameType::kData:
    case proto::FrameType::kEnd:
    case proto::FrameType::kDrain:
    case proto::FrameType::kTunnel:
      break;
  }
  return invalid("frame type");
}

Status Channel::take_hello(const proto::Frame& frame) {
  if (hello_seen_) return invalid("second HELLO");
  RH_ASSIGN(const proto::Hello hello, proto::parse_hello(frame.payload));
  hello_seen_ = true;
  peer_window_bytes_ = hello.window_bytes;
  return {};
}

// Ids count up and begin at 1 again after the largest, passing over open ones.
std::uint32_t Channel::next_id() {
  std::uint32_t id = last_id_;
  do {
    id = id == 0xffffffffu ? 1 : id + 1;
  } while (find(id) != nullptr);
  return id;
}

std::unique_ptr<Stream> Channel::create_stream(std::uint32_t id) {
  std::unique_ptr<Stream> stream;
  if (spare_.empty()) {
    stream = std::make_unique<Stream>();
    stream->channel = this;
  } else {
    stream = std::move(spare_.back());
    spare_.pop_back();
  }
  stream->id = id;
  stream->state = StreamState::kQueued;
  stream->gone = false;
  stream->changed = stream->wants_room = false;
  stream->observer = nullptr;
  stream->body.clear();
  stream->body_start = 0;
  stream->body_received_bytes = 0;
  stream->body_complete = false;
  stream->body_credit_bytes = proto::kStreamWindowBytes;
  stream->body_taken_bytes = 0;
  stream->send_credit_bytes = peer_window_bytes_;
  return stream;
}

Status Channel::take_request(const proto::Frame& frame) {
  if (frame.stream != next_id()) return invalid("REQUEST stream id");
  last_id_ = frame.stream;
  if (draining_ && proto::is_later_stream(frame.stream, drained_last_)) return {};
  if (open_.size() >= kMaxOpenStreams) return make_error(ErrorCode::kTooLarge, "open streams");
  std::unique_ptr<Stream> stream = create_stream(frame.stream);
  stream->payload.assign(as_text(frame.payload));
  RH_ASSIGN(stream->head, proto::parse_request(as_bytes(stream->payload), stream->room));
  stream->body_complete = frame.last();
  stream->offers_upgrade = frame.upgrade();
  const std::uint64_t length = stream->head.body_length;
  if (frame.last() && length != 0 && length != proto::kUnknownLength) return invalid("REQUEST body length");
  Stream& opened = *stream;
  open_.push_back(std::move(stream));
  listener_.on_request(opened);
  return {};
}

Status Channel::take_body_frame(const proto::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return {};  // it crossed our END
  if (stream->body_complete) return invalid("BODY after the last");
  if (frame.payload.size() > stream->body_credit_bytes) return invalid("BODY beyond credit");
  stream->body_credit_bytes -= static_cast<std::uint32_t>(frame.payload.size());
  stream->body_received_bytes += frame.payload.size();
  const std::uint64_t length = stream->head.body_length;
  const bool known = length != proto::kUnknownLength;
  if (known && stream->body_received_bytes > length) return invalid("BODY beyond its length");
  if (known && frame.last() && stream->body_received_bytes != length)
    return invalid("BODY short of its length");
  stream->body.append(as_text(frame.payload));
  stream->body_complete = frame.last();
  listener_.on_stream_changed(*stream);
  return {};
}

Status Channel::take_abort(const proto::Frame& frame) {
  RH_TRY(proto::parse_abort(frame.payload));
  Stream* stream = find(frame.stream);
  if (stream == nullptr || stream->gone) return {};
  stream->gone = true;
  listener_.on_stream_changed(*stream);
  return {};
}

Status Channel::take_credit(const proto::Frame& frame) {
  RH_ASSIGN(const std::uint32_t bytes, proto::parse_credit(frame.payload));
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return {};
  if (bytes > proto::kMaxWindowBytes - stream->send_credit_bytes) return invalid("CREDIT beyond the window");
  stream->send_credit_bytes += bytes;
  listener_.on_stream_changed(*stream);
  return {};
}

void Channel::close() {
  socket_.reset();
  output_.clear();
  output_sent_ = 0;
  blocked_ = false;
  std::vector<Stream*> streams;
  for (const auto& stream : open_) streams.push_back(stream.get());
  for (Stream* stream : streams) {
    stream->gone = true;
    listener_.on_stream_changed(*stream);
  }
}

// --- streams --------------------------------------------------------------------------------------------

Stream* Channel::find(std::uint32_t id) {
  for (const auto& stream : open_) {
    if (stream->id == id) return stream.get();
  }
  return nullptr;
}

void Channel::drain() {
  if (draining_) return;
  draining_ = true;
  drained_last_ = last_id_;
  if (!is_closed()) proto::append_drain(output_, last_id_);
}

void Channel::append_start(Stream& stream) {
  if (!is_closed()) proto::append_start(output_, stream.id);
}

void Channel::append_response(Stream& stream, const proto::ResponseHead& head) {
  if (!is_closed()) proto::append_response(output_, stream.id, head);
}

void Channel::append_tunnel(Stream& stream, const proto::ResponseHead& head) {
  stream.body_complete = false;
  stream.head.body_length = proto::kUnknownLength;
  if (!is_closed()) proto::append_tunnel(output_, stream.id, head);
}

std::size_t Channel::append_data(Stream& stream, std::string_view bytes) {
  if (is_closed() || !has_room()) {
    stream.wants_room = true;
    return 0;
  }
  const std::size_t room = kMaxOutputBytes - output_bytes();
  const std::size_t count = std::min({bytes.size(), room, std::size_t{stream.send_credit_bytes}});
  stream.wants_room = count == room;
  proto::append_data(output_, stream.id, bytes.substr(0, count));
  stream.send_credit_bytes -= static_cast<std::uint32_t>(count);
  return count;
}

void Channel::append_end(Stream& stream, const proto::End& end) {
  if (!is_closed()) proto::append_end(output_, stream.id, end);
  close_stream(stream);
}

void Channel::append_abort(Stream& stream, proto::AbortReason reason) {
  if (!is_closed()) proto::append_abort(output_, stream.id, reason);
  close_stream(stream);
}

std::size_t Channel::take_body(Stream& stream, std::span<char> room, BodyUnit unit) {
  const char* const available = stream.body.data() + stream.body_start;
  std::size_t count = std::min(stream.body_available(), room.size());
  if (count == 0) return 0;
  if (unit == BodyUnit::kLine) {
    const void* const end = std::memchr(available, '\n', count);
    if (end != nullptr) count = static_cast<std::size_t>(static_cast<const char*>(end) - available) + 1;
  }
  std::memcpy(room.data(), available, count);
  stream.body_start += count;
  if (stream.body_start == stream.body.size()) {
    stream.body.clear();
    stream.body_start = 0;
  } else if (stream.body_start >= proto::kStreamWindowBytes) {
    stream.body.erase(0, stream.body_start);
    stream.body_start = 0;
  }
  stream.body_taken_bytes += static_cast<std::uint32_t>(count);
  if (!stream.body_complete && stream.body_taken_bytes >= kCreditPortionBytes && !is_closed()) {
    proto::append_credit(output_, stream.id, stream.body_taken_bytes);
    stream.body_credit_bytes += stream.body_taken_bytes;
    stream.body_taken_bytes = 0;
  }
  return count;
}

void Channel::leave(Stream& stream) {
  --stream.users;
  if (stream.state != StreamState::kClosed || stream.users != 0) return;
  std::unique_ptr<Stream> taken;
  erase_stream(closing_, stream, taken);
  recycle(std::move(taken));
}

void Channel::close_stream(Stream& stream) {
  stream.state = StreamState::kClosed;
  std::unique_ptr<Stream> taken;
  erase_stream(open_, stream, taken);
  if (stream.users == 0) {
    recycle(std::move(taken));
  } else {
    closing_.push_back(std::move(taken));
  }
}

void Channel::recycle(std::unique_ptr<Stream> stream) {
  if (stream == nullptr || spare_.size() >= kMaxSpareStreams) return;
  if (stream->body.capacity() > kKeptBodyBytes) std::string().swap(stream->body);
  spare_.push_back(std::move(stream));
}

bool Channel::tell_room() {
  bool told = false;
  for (const auto& stream : open_) {
    if (!stream->wants_room) continue;
    stream->wants_room = false;
    listener_.on_stream_changed(*stream);
    told = true;
  }
  return told;
}

// --- output ---------------------------------------------------------------------------------------------

Result<FlushState> Channel::flush() {
  if (is_closed() || output_bytes() == 0) return FlushState::kEmpty;
  ssize_t sent = -1;
  do {
    sent = ::send(socket_.get(), output_.data() + output_sent_, output_bytes(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  blocked_ = sent < 0 && errno == EAGAIN;
  if (blocked_) return FlushState::kBlocked;
  if (sent < 0) {
    if (errno == EPIPE || errno == ECONNRESET) return make_error(ErrorCode::kClosed, "send");
    return system_error("send");
  }
  output_sent_ += static_cast<std::size_t>(sent);
  blocked_ = output_bytes() != 0;
  if (blocked_) {
    if (output_sent_ >= kMaxOutputBytes) {
      output_.erase(0, output_sent_);
      output_sent_ = 0;
    }
    return FlushState::kBlocked;
  }
  output_.clear();
  output_sent_ = 0;
  if (output_.capacity() > kKeptOutputBytes) std::string().swap(output_);
  return FlushState::kEmpty;
}

}  // namespace rowhouse::worker
