#include "gateway/channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/foreign_files.h"
#include "gateway/caps.h"
#include "gateway/request_encoder.h"

namespace rowhouse::gateway {
namespace {

using proto::FrameType;

Error violated(const char* rule) {
  return make_error(ErrorCode::kInvalid, rule);
}

}  // namespace

Channel::Channel(Workbench& bench, UniqueFd socket, std::size_t max_streams, ChannelListener& listener)
    : bench_(bench),
      listener_(listener),
      max_streams_(max_streams),
      socket_(std::move(socket)),
      poll_(
          std::make_unique<Poll>(bench.turn.loop(), socket_.get(), [this](int events) { on_ready(events); })),
      flush_task_(bench.turn, TurnStage::kChannel, [this] { flush(); }),
      frame_deadline_(bench.deadlines,
                      [this] {
                        violation_ = violated("frame time");
                        end(ChannelEnd::kViolated);
                      }),
      streams_(max_streams) {
  proto::append_hello(output_.tail(), proto::kStreamWindowBytes);
  flush_task_.schedule();
  frame_deadline_.set(bench.turn.now() + kFrameTime);
  watch();
}

bool Channel::has_room() const {
  return state_ == ChannelState::kOpen && streams_.size() < max_streams_ &&
         output_.size() < kChannelHighWaterBytes;
}

Stream& Channel::open(std::string& request_frame, StreamListener& listener, Instant deadline) {
  Stream& stream = take_stream();
  stream.id = next_id();
  stream.listener = &listener;
  stream.phase = StreamPhase::kOpened;
  stream.offers_upgrade = offers_upgrade(request_frame);
  stream.receive_window = proto::kStreamWindowBytes;
  stream.send_window = first_window_;
  stream.deadline.set(deadline);
  streams_.insert(stream);
  set_stream(request_frame, stream.id);
  output_.append(request_frame);
  stream.request_end = sent_ + output_.size();
  congested_ = congested_ || output_.size() >= kChannelHighWaterBytes;
  flush_task_.schedule();
  return stream;
}

Stream& Channel::take_stream() {
  if (free_streams_.empty()) {
    Stream* const stream = all_streams_.emplace_back(std::make_unique<Stream>(bench_.deadlines)).get();
    stream->deadline.set_callback([this, stream] { on_time_over(*stream); });
    free_streams_.push_back(stream);
  }
  Stream& stream = *free_streams_.back();
  free_streams_.pop_back();
  return stream;
}

std::uint32_t Channel::next_id() {
  do {
    if (++last_id_ == 0) {
      wrapped_ = true;
      last_id_ = 1;
    }
  } while (streams_.find(last_id_) != nullptr);
  return last_id_;
}

bool Channel::was_opened(std::uint32_t id) const {
  return wrapped_ ? !proto::is_later_stream(id, last_id_) : id <= last_id_;
}

std::size_t Channel::body_room(const Stream& stream) {
  if (output_.size() >= kChannelHighWaterBytes) {
    congested_ = true;
    return 0;
  }
  return std::min<std::size_t>(stream.send_window, kChannelHighWaterBytes - output_.size());
}

void Channel::send_body(Stream& stream, std::string_view bytes, proto::BodyPart part) {
  stream.send_window -= static_cast<std::uint32_t>(bytes.size());
  while (bytes.size() > proto::kMaxDataBytes) {
    proto::append_body(output_.tail(), stream.id, bytes.substr(0, proto::kMaxDataBytes),
                       proto::BodyPart::kMore);
    bytes.remove_prefix(proto::kMaxDataBytes);
  }
  if (!bytes.empty() || part == proto::BodyPart::kLast) {
    proto::append_body(output_.tail(), stream.id, bytes, part);
  }
  flush_task_.schedule();
}

void Channel::grant(Stream& stream, std::uint32_t bytes) {
  stream.receive_window += bytes;
  proto::append_credit(output_.tail(), stream.id, bytes);
  flush_task_.schedule();
}

void Channel::give_up(Stream& stream, proto::AbortReason reason, const RunningRequest& request) {
  stream.listener = nullptr;
  ++given_up_;
  stream.given_up = std::make_unique<GivenUpRequest>(request);
  proto::append_abort(output_.tail(), stream.id, reason);
  flush_task_.schedule();
  listener_.on_stream_given_up();
}

void Channel::on_time_over(Stream& stream) {
  if (stream.listener != nullptr) {
    stream.listener->on_time_over();
  } else {
    listener_.on_given_up_time_over(stream);
  }
}

void Channel::on_ready(int events) {
  bench_.turn.refresh();
  if ((events & UV_DISCONNECT) != 0) {
    read_rest_and_end();
    return;
  }
  if ((events & UV_READABLE) != 0) read_once();
  if (state_ != ChannelState::kEnded && (events & UV_WRITABLE) != 0) {
    blocked_ = false;
    flush_task_.schedule();
    watch();
  }
}

bool Channel::read_once() {
  const std::span<std::uint8_t> buffer = bench_.turn.receive_buffer();
  std::memcpy(buffer.data(), partial_.data(), partial_.size());
  const std::span<std::uint8_t> room = buffer.subspan(partial_.size());
  const Result<std::size_t> count = receive_bytes(socket_.get(), room);
  if (!count.ok() && count.error().code == ErrorCode::kWouldBlock) return false;
  const bool foreign = !count.ok() && count.error().code == ErrorCode::kInvalid;
  if (!foreign && (!count.ok() || count.value() == 0)) {
    end(ChannelEnd::kClosed);
    return false;
  }
  const Status taken =
      foreign ? Status(count.error()) : take_frames(buffer.first(partial_.size() + count.value()));
  if (!taken.ok()) {
    violation_ = taken.error();
    end(ChannelEnd::kViolated);
  }
  return state_ != ChannelState::kEnded;
}

Status Channel::take_frames(ByteSpan input) {
  std::size_t frames = 0;
  while (state_ != ChannelState::kEnded) {
    RH_ASSIGN(const std::optional<proto::ParsedFrame> parsed,
              proto::parse_frame(input, proto::FrameSender::kWorker));
    if (!parsed) break;
    ++frames;
    input = input.subspan(parsed->size);
    RH_TRY(on_frame(parsed->frame));
  }
  partial_.assign(as_text(input));
  set_frame_deadline(frames);
  return {};
}

// A frame that has begun must be complete within kFrameTime.
void Channel::set_frame_deadline(std::size_t frames) {
  if (state_ == ChannelState::kGreeting || state_ == ChannelState::kEnded) return;
  if (partial_.empty()) {
    frame_deadline_.clear();
  } else if (frames > 0 || !frame_deadline_.is_set()) {
    frame_deadline_.set(bench_.turn.now() + kFrameTime);
  }
}

Status Channel::on_frame(const proto::Frame& frame) {
  if (state_ == ChannelState::kGreeting) {
    if (frame.type != FrameType::kHello) return violated("first frame is not HELLO");
    RH_ASSIGN(const proto::Hello hello, proto::parse_hello(frame.payload));
    first_window_ = hello.window_bytes;
    state_ = ChannelState::kOpen;
    listener_.on_channel_room();
    return {};
  }
  if (frame.type == FrameType::kHello) return violated("second HELLO");
  if (frame.type == FrameType::kDrain) return on_drain(frame);
  return on_stream_frame(frame);
}

Status Channel::on_stream_frame(const proto::Frame& frame) {
  Stream* stream = streams_.find(frame.stream);
  if (stream == nullptr) {
    // It may have crossed the END of its stream.
    if (frame.type == FrameType::kCredit && was_opened(frame.stream)) {
      RH_TRY(proto::parse_credit(frame.payload));
      return {};
    }
    return violated("stream is not open");
  }
  RH_TRY(step_stream(*stream, frame));
  return deliver(*stream, frame);
}

Status Channel::on_drain(const proto::Frame& frame) {
  RH_ASSIGN(const std::uint32_t last, proto::parse_drain(frame.payload));
  if (state_ == ChannelState::kDraining) return violated("second DRAIN");
  const auto is_cut = [last](const Stream& stream) {
    return last == 0 || proto::is_later_stream(stream.id, last);
  };
  bool ran = false;
  streams_.for_each(
      [&](const Stream& stream) { ran = ran || (is_cut(stream) && stream.phase != StreamPhase::kOpened); });
  if (ran) return violated("DRAIN before a stream that ran");
  state_ = ChannelState::kDraining;
  lose_streams([&](const Stream& stream) { return is_cut(stream) ? std::optional(StreamLoss::kDrained) : std::nullopt; });
  return {};
}

Status Channel::deliver(Stream& stream, const proto::Frame& frame) {
  StreamListener* const listener = stream.listener;
  switch (frame.type) {
    case FrameType::kStart:
      if (listener != nullptr) listener->on_started();
      return {};
    case FrameType::kResponse:
      return deliver_response(stream, frame);
    case FrameType::kData:
      if (listener != nullptr) listener->on_data(as_text(frame.payload));
      return {};
    case FrameType::kEnd: {
      RH_ASSIGN(const proto::End end, proto::parse_end(frame.payload));
      close_stream(stream);
      if (listener != nullptr) listener->on_end(end);
      listener_.on_stream_closed(static_cast<std::uint16_t>(end.service_us));
      return {};
    }
    case FrameType::kAbort: {
      RH_ASSIGN(const proto::AbortReason reason, proto::parse_abort(frame.payload));
      close_stream(stream);
      if (listener != nullptr) listener->on_abort(reason);
      listener_.on_stream_closed(std::nullopt);
      return {};
    }
    case FrameType::kCredit:
      deliver_credit(stream);
      return {};
    case FrameType::kTunnel:
      return deliver_tunnel(stream, frame);
    case FrameType::kHello:
    case FrameType::kRequest:
    case FrameType::kBody:
    case FrameType::kDrain:
      break;
  }
  return violated("frame type");
}

Status Channel::deliver_response(Stream& stream, const proto::Frame& frame) {
  RH_ASSIGN(const proto::ResponseHead head, proto::parse_response(frame.payload, bench_.response_fields));
  if (stream.listener != nullptr) stream.listener->on_response(head);
  return {};
}

Status Channel::deliver_tunnel(Stream& stream, const proto::Frame& frame) {
  RH_ASSIGN(const proto::ResponseHead head, proto::parse_tunnel(frame.payload, bench_.response_fields));
  if (stream.listener != nullptr) stream.listener->on_tunnel(head);
  return {};
}

void Channel::deliver_credit(Stream& stream) {
  if (stream.listener == nullptr) return;
  stream.listener->on_credit();
  stream.listener->on_body_room();
}

void Channel::close_stream(Stream& stream) {
  streams_.erase(stream);
  stream.deadline.clear();
  if (stream.listener == nullptr) --given_up_;
  stream.listener = nullptr;
  stream.given_up.reset();
  free_streams_.push_back(&stream);
}

template <typename LossOf>
void Channel::lose_streams(LossOf loss_of) {
  std::vector<Stream*> lost;
  streams_.for_each([&](Stream& stream) {
    if (loss_of(stream)) lost.push_back(&stream);
  });
  // The last first: each goes to the front of the queue, so they keep their order.
  std::sort(lost.begin(), lost.end(),
            [](const Stream* a, const Stream* b) { return proto::is_later_stream(a->id, b->id); });
  for (Stream* stream : lost) {
    StreamListener* const listener = stream->listener;
    const StreamPhase phase = stream->phase;
    const StreamLoss loss = *loss_of(*stream);
    if (listener == nullptr && loss == StreamLoss::kGone) listener_.on_given_up_lost(*stream);
    close_stream(*stream);
    if (listener != nullptr) listener->on_lost(loss, phase);
    listener_.on_stream_closed(std::nullopt);
  }
}

void Channel::read_rest_and_end() {
  std::size_t reads = kMaxFinalReadBytes / kReceiveBufferBytes;
  while (reads-- > 0 && state_ != ChannelState::kEnded && read_once()) {
  }
  end(ChannelEnd::kClosed);
}

void Channel::end(ChannelEnd how) {
  if (state_ == ChannelState::kEnded) return;
  if (how == ChannelEnd::kClosed && state_ == ChannelState::kDraining) how = ChannelEnd::kDrained;
  state_ = ChannelState::kEnded;
  poll_.reset();
  close_foreign_socket(std::move(socket_));
  output_.clear();
  frame_deadline_.clear();
  lose_streams([this](const Stream& stream) {
    return std::optional(stream.request_end > sent_ ? StreamLoss::kUnsent : StreamLoss::kGone);
  });
  listener_.on_channel_end(how);
}

void Channel::flush() {
  while (state_ != ChannelState::kEnded && !output_.empty() && !blocked_) {
    const std::string_view bytes = output_.view();
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
      output_.consume(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      blocked_ = true;
      watch();
    } else if (errno != EINTR) {
      // The worker reads no more; it may have written before.
      read_rest_and_end();
    }
  }
  if (state_ != ChannelState::kEnded) tell_room();
}

void Channel::tell_room() {
  if (!congested_ || output_.size() >= kChannelHighWaterBytes / 2) return;
  congested_ = false;
  output_.release(kChannelHighWaterBytes);
  streams_.for_each([](Stream& stream) {
    if (stream.listener != nullptr) stream.listener->on_body_room();
  });
  listener_.on_channel_room();
}

void Channel::watch() {
  poll_->watch(blocked_ ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

}  // namespace rowhouse::gateway
