#include "gateway/http1_connection.h"

#include <algorithm>
#include <array>

#include "gateway/authority.h"
#include "gateway/caps.h"
#include "gateway/client_counts.h"
#include "gateway/path.h"
#include "gateway/proxy_header.h"

namespace rowhouse::gateway {
namespace {

using proto::Cause;
using Flow = ClientSocket::Flow;

}  // namespace

Http1Connection::Http1Connection(Workbench& bench, const ConnectionPlace& place, UniqueFd socket,
                                 ClientAddress address, Preface preface)
    : bench_(bench),
      place_(place),
      address_(std::move(address)),
      state_(preface == Preface::kProxyHeader ? State::kPreface : State::kHead),
      socket_(bench.turn.loop(), std::move(socket), *this),
      exchange_(bench, *this),
      writer_(socket_.output().tail()),
      resume_task_(bench.turn, TurnStage::kResume, [this] { resume(); }),
      flush_task_(bench.turn, TurnStage::kClient, [this] { flush(); }),
      deadline_(bench.deadlines, [this] { on_deadline(); }),
      state_at_(bench.turn.now()) {
  settle();
}

// When the process ends in the middle of an answer, its end must not look like the end of the answer.
Http1Connection::~Http1Connection() {
  const bool answering = state_ == State::kExchange || state_ == State::kFlushing;
  if (answering && answering_ && writer_.framing() == ResponseFraming::kClose) socket_.reset();
  bench_.file_jobs.forget(*this);
}

void Http1Connection::retire() {
  retiring_ = true;
  retired_at_ = bench_.turn.now();
  if (!answering_) after_ = AfterAnswer::kClose;
  settle();
}

// --- bytes from the client -------------------------------------------------------------------------------

void Http1Connection::on_readable() {
  bench_.turn.refresh();
  const std::span<std::uint8_t> buffer = bench_.turn.receive_buffer();
  const ClientSocket::Received received = socket_.read(buffer);
  switch (received.flow) {
    case Flow::kBlocked: return;
    case Flow::kBroken: on_client_gone(); return;
    case Flow::kPaced:
    case Flow::kDone: break;
  }
  if (received.bytes == 0) {
    on_client_end();
    return;
  }
  read_at_ = bench_.turn.now();
  use_input(as_text(buffer.first(received.bytes)));
  settle();
}

void Http1Connection::on_client_end() {
  client_ended_ = true;
  if (tunnel_) end_tunnel_input();
  settle();
}

// What cannot be used now is kept; most often all of it is used where it was received.
void Http1Connection::use_input(std::string_view bytes) {
  if (input_.empty()) {
    const std::size_t used = use(bytes);
    if (state_ != State::kClosed) input_.append(bytes.substr(used));
  } else {
    input_.append(bytes);
    input_.consume(use(input_.view()));
  }
}

std::size_t Http1Connection::use(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    std::size_t step = 0;
    switch (state_) {
      case State::kPreface: step = use_preface(rest); break;
      case State::kHead: step = use_head(rest); break;
      case State::kExchange: step = tunnel_ ? use_tunnel(rest) : use_body(rest); break;
      case State::kDraining:
      case State::kLingering: step = use_unread(rest); break;
      case State::kFile:
      case State::kFlushing: break;
      case State::kClosed: step = rest.size(); break;
    }
    if (step == 0) break;
    used += step;
  }
  return used;
}

// Anything but a sound header ends the connection without a word: nobody knows whom it would be said to.
std::size_t Http1Connection::use_preface(std::string_view bytes) {
  const auto parsed = parse_proxy_header(bytes);
  if (std::holds_alternative<ProxyHeaderIncomplete>(parsed)) return 0;
  const auto* header = std::get_if<ProxyHeader>(&parsed);
  if (header != nullptr && header->client) {
    address_.remote = address_text(*header->client);
    address_.remote_port = header->port;
    address_.client = client_number(*header->client);
    address_.bytes = header->client;
    address_.trusted = place_.proxies.trusted.trusts(*header->client);
  }
  if (header == nullptr || (header->client && !place_.listener.admit(address_))) {
    close();
    return bytes.size();
  }
  state_ = State::kHead;
  state_at_ = bench_.turn.now();
  return header->bytes;
}

std::size_t Http1Connection::use_head(std::string_view bytes) {
  const auto found = find_head_end(bytes, head_checked_);
  if (const auto* refusal = std::get_if<HeadRefusal>(&found)) {
    exchange_.reset();
    state_ = State::kExchange;
    refuse(refusal->status, refusal->cause);
    return 0;
  }
  const std::size_t size = *std::get_if<std::size_t>(&found);
  if (size == 0) {
    if (head_checked_ == 0 && requests_ > 0) state_at_ = bench_.turn.now();
    head_checked_ = bytes.size();
    return 0;
  }
  head_checked_ = 0;
  start_request(bytes.substr(0, size));
  return size;
}

std::size_t Http1Connection::use_body(std::string_view bytes) {
  const std::size_t used = parser_.read_body(bytes.substr(0, exchange_.body_room()), *this);
  if (used > 0) continue_due_ = false;
  if (parser_.body() != Http1Request::Body::kRefused || state_ != State::kExchange) return used;
  exchange_.abandon();
  exchange_.tally().cause = Cause::kBadRequest;
  if (answering_) {
    on_response_cut();
  } else {
    refuse(400, Cause::kBadRequest);
  }
  return 0;
}

void Http1Connection::on_body(std::string_view bytes) {
  if (state_ != State::kExchange) return;
  const bool complete = parser_.body() == Http1Request::Body::kComplete;
  exchange_.send_body(bytes, complete ? proto::BodyPart::kLast : proto::BodyPart::kMore);
}

// What nobody wants: the rest of a body, or anything before the connection closes.
std::size_t Http1Connection::use_unread(std::string_view bytes) {
  if (state_ == State::kLingering) {
    unread_bytes_ += bytes.size();
    if (unread_bytes_ > kMaxLingerBytes) close();
    return bytes.size();
  }
  const std::size_t used = parser_.read_body(bytes, *this);
  unread_bytes_ += used;
  if (parser_.body() == Http1Request::Body::kComplete) {
    start_next();
  } else if (unread_bytes_ > kMaxDrainBytes || parser_.body() == Http1Request::Body::kRefused) {
    linger();
  }
  return used;
}

void Http1Connection::resume() {
  if (state_ == State::kClosed) return;
  if (!may_resume()) {
    resume_task_.schedule_next_turn();
    return;
  }
  input_.consume(use(input_.view()));
  if (tunnel_) end_tunnel_input();
  if (state_ == State::kExchange && continue_due_ && exchange_.body_room() > 0) {
    continue_due_ = false;
    socket_.output().append(kContinue);
    flush_task_.schedule();
  }
  settle();
}

// After everything that may have changed what the connection waits for.
void Http1Connection::settle() {
  if (state_ == State::kClosed || end_if_starved()) return;
  const bool full =
      state_ != State::kHead && state_ != State::kPreface && input_.size() >= kInputHighWaterBytes;
  socket_.set_reading(client_ended_ || full ? ClientSocket::Reading::kStopped
                                            : ClientSocket::Reading::kWanted);
  if (const std::optional<Instant> deadline = next_deadline()) {
    deadline_.set(*deadline);
  } else {
    deadline_.clear();
  }
}

// Ends a connection that waits for bytes which the client will not send.
bool Http1Connection::end_if_starved() {
  if (!client_ended_ || resume_task_.is_scheduled()) return false;
  const bool lacks_body = state_ == State::kExchange && parser_.body() == Http1Request::Body::kMore &&
                          input_.size() < parser_.length_left().value_or(1);
  if (lacks_body) {
    on_client_gone();
    return true;
  }
  if (state_ == State::kExchange || state_ == State::kFile || state_ == State::kFlushing) return false;
  close();
  return true;
}

// --- a request -------------------------------------------------------------------------------------------

void Http1Connection::start_request(std::string_view block) {
  ++requests_;
  turn_requests_ = request_turn_ == bench_.turn.number() ? turn_requests_ + 1 : 1;
  request_turn_ = bench_.turn.number();
  state_ = State::kExchange;
  state_at_ = read_at_ = bench_.turn.now();
  exchange_.reset();
  Request& request = exchange_.request();
  request.block.assign(block);
  request.request_id = bench_.request_ids.next();
  const auto checked = check_head(request.block, bench_.head_fields);
  if (const auto* refusal = std::get_if<HeadRefusal>(&checked)) {
    refuse(refusal->status, refusal->cause);
    return;
  }
  const CheckedHead& head = *std::get_if<CheckedHead>(&checked);
  describe_request(request, head);
  if (const std::optional<HeadRefusal> refusal = parser_.begin(request.block, head)) {
    refuse(refusal->status, refusal->cause);
    return;
  }
  const bool keep = head.keep_alive && requests_ < kMaxRequestsPerConnection && !retiring_;
  after_ = keep ? AfterAnswer::kKeepAlive : AfterAnswer::kClose;
  continue_due_ = head.expect_continue;
  if (address_.trusted) note_origin(head);
  route(head);
}

void Http1Connection::note_origin(const CheckedHead& head) {
  const Origin origin = read_origin(head.fields, place_.proxies.by, place_.proxies.trusted);
  Request& request = exchange_.request();
  request.https = origin.https;
  if (origin.client) request.client_text = address_text(*origin.client);
}

void Http1Connection::route(const CheckedHead& head) {
  Request& request = exchange_.request();
  if (head.asterisk) {
    answer_asterisk();
    return;
  }
  if (head.authority.empty() || !host_of_authority(head.authority, request.host)) {
    refuse(421, Cause::kNoHost);
    return;
  }
  if (!normalise_path(head.path, request.path).ok()) {
    refuse(400, Cause::kBadRequest);
    return;
  }
  follow(place_.sites.find(request.host, request.path), head);
}

void Http1Connection::follow(const SiteMatch& match, const CheckedHead& head) {
  if (const auto crowded = join_tenant_of(match)) {
    on_refused(*crowded);
  } else if (const auto* refusal = std::get_if<Refusal>(&match)) {
    on_refused(*refusal);
  } else if (const auto* file = std::get_if<StaticMatch>(&match)) {
    serve_static(*file, head);
  } else if (const auto* redirect = std::get_if<RedirectMatch>(&match)) {
    answer_redirect(*redirect, head);
  } else {
    const auto& app = *std::get_if<AppMatch>(&match);
    if (const auto late = exchange_.begin(*app.app, app.prefix_bytes, head, address_)) on_refused(*late);
  }
}

// Whatever static prefixes say.
void Http1Connection::serve_app(const CheckedHead& head) {
  const Request& request = exchange_.request();
  follow(place_.sites.find_app(request.host, request.path), head);
}

void Http1Connection::answer_redirect(const RedirectMatch& match, const CheckedHead& head) {
  const Request& request = exchange_.request();
  prepare_own_answer();
  ExchangeTally& tally = exchange_.tally();
  tally.app = match.app;
  tally.status = match.redirect->status;
  append_redirect(
      socket_.output().tail(), *match.redirect,
      {std::string_view(request.path).substr(match.prefix_bytes), head.query, after_, bench_.turn.date()});
  finish_answer();
}

// OPTIONS * asks about the server, not about an app (RFC 9110 9.3.7).
void Http1Connection::answer_asterisk() {
  static constexpr std::array<proto::Field, 1> kFields = {
      {{0, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"}}};
  prepare_own_answer();
  const proto::ResponseHead head{204, {}, kFields};
  exchange_.tally().status = head.status;
  writer_.append_head(head, {}, exchange_.request(), {bench_.turn.date(), after_, {}});
  finish_answer();
}

}  // namespace rowhouse::gateway
