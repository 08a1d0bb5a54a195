#include "gateway/gateway.h"

#include <chrono>

#include "base/log.h"
#include "base/message_socket.h"
#include "gateway/caps.h"

namespace rowhouse::gateway {
namespace {

constexpr const char* kMimeTable = "/etc/mime.types";

}  // namespace

Gateway::Gateway(UniqueFd control, const Clock& clock, std::size_t max_connections)
    : clock_(clock),
      max_connections_(max_connections),
      bench_(loop_.get(), clock),
      timer_(loop_.get(),
             [this] {
               timer_at_.reset();
               bench_.turn.refresh();
               bench_.deadlines.expire(bench_.turn.now());
             }),
      drain_deadline_(bench_.deadlines, [this] { finish(0); }),
      sites_(bench_, shares_, *this),
      link_(bench_.turn, std::move(control), *this) {
  bench_.turn.set_on_finished([this] { on_turn_finished(); });
  const Status read = bench_.mime_types.read(kMimeTable);
  if (!read.ok()) log_info("built-in-mime-types", {{"because", read.error()}});
}

Gateway::~Gateway() {
  bench_.turn.empty_graves();
}

int Gateway::run() {
  loop_.run();
  return status_;
}

void Gateway::finish(int status) {
  status_ = status;
  loop_.stop();
}

// --- from the supervisor ---------------------------------------------------------------------------------

Status Gateway::on_message(const proto::GatewaySetup& message, UniqueFd access_log, UniqueFd shared_table) {
  if (access_log_ != nullptr) return make_error(ErrorCode::kInvalid, "second GatewaySetup");
  RH_TRY(shares_.map(shared_table.get(), message.index, message.count));
  access_log_ = std::make_unique<AccessLog>(std::move(access_log));
  const std::size_t share = std::max<std::size_t>(max_connections_ / kMinClientsToFill, 1);
  clients_.emplace(message.connections_per_address != 0 ? message.connections_per_address : share);
  for (UniqueFd& socket : early_listeners_) {
    listeners_.push_back(std::make_unique<Listener>(loop_.get(), std::move(socket), *this));
  }
  early_listeners_.clear();
  link_.send(proto::GatewayReady{});
  return {};
}

Status Gateway::on_message(const proto::Listener&, UniqueFd socket) {
  RH_TRY(set_nonblocking(socket.get()));
  if (retiring_) return {};
  if (access_log_ == nullptr) {
    early_listeners_.push_back(std::move(socket));
  } else {
    listeners_.push_back(std::make_unique<Listener>(loop_.get(), std::move(socket), *this));
  }
  return {};
}

Status Gateway::on_message(const proto::AppBegin& message) {
  if (access_log_ == nullptr) return make_error(ErrorCode::kInvalid, "AppBegin before GatewaySetup");
  return sites_.on_begin(message);
}

Status Gateway::on_message(const proto::AppRoute& message) {
  return sites_.on_route(message);
}

Status Gateway::on_message(const proto::AppStatic& message, UniqueFd root) {
  return sites_.on_static(message, std::move(root));
}

Status Gateway::on_message(const proto::AppCommit& message) {
  RH_TRY(sites_.on_commit(message));
  link_.send(proto::AppCommitted{message.app, message.revision});
  return {};
}

Status Gateway::on_message(const proto::AppRemove& message) {
  sites_.on_remove(message);
  return {};
}

Status Gateway::on_message(const proto::AppConditionChange& message) {
  sites_.on_condition(message);
  return {};
}

Status Gateway::on_message(const proto::WorkerAdd& message, UniqueFd channel) {
  return sites_.on_worker(message, std::move(channel));
}

Status Gateway::on_message(const proto::WorkerGone& message) {
  sites_.on_worker_gone(message);
  return {};
}

Status Gateway::on_message(const proto::Switch& message) {
  sites_.on_switch(message);
  link_.send(proto::Switched{message.app, message.generation});
  return {};
}

Status Gateway::on_message(const proto::Retire& message) {
  retiring_ = true;
  listeners_.clear();
  early_listeners_.clear();
  // From the end: one that closes at once is replaced by the last, which has been told already.
  for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->retire();
  drain_deadline_.set(bench_.turn.now() + std::chrono::milliseconds(message.drain_ms));
  return {};
}

void Gateway::on_supervisor_lost(const Error& error) {
  if (error.code == ErrorCode::kClosed) {
    log_info("supervisor-gone");
    finish(0);
  } else {
    log_error("supervisor-message-refused", {{"error", error}});
    finish(1);
  }
}

void Gateway::on_worker_fault(const WorkerIdentity& worker, proto::FaultKind kind) {
  link_.send(proto::WorkerFault{worker.app, worker.generation, worker.worker, kind});
}

// --- clients ---------------------------------------------------------------------------------------------

void Gateway::on_client(UniqueFd socket, ClientAddress address) {
  bench_.turn.refresh();
  if (connections_.size() >= max_connections_) {
    turn_client_away(std::move(socket));
    return;
  }
  if (!clients_->enter(address.client)) {
    on_crowd(address);
    turn_client_away(std::move(socket));
    return;
  }
  const ConnectionPlace place{sites_, *access_log_, *this};
  connections_.push_back(
      std::make_unique<Http1Connection>(bench_, place, std::move(socket), std::move(address)));
  connections_.back()->set_index(connections_.size() - 1);
}

// One line in a while: whoever crowds decides how often it happens.
void Gateway::on_crowd(const ClientAddress& address) {
  const Instant now = bench_.turn.now();
  if (crowd_logged_at_ && now - *crowd_logged_at_ < kCrowdLogPeriod) return;
  crowd_logged_at_ = now;
  log_warning("too-many-connections-of-one-client",
              {{"client", address.remote}, {"limit", clients_->limit()}});
}

void Gateway::on_connection_closed(Http1Connection& connection) {
  clients_->leave(connection.address().client);
  const std::size_t index = connection.index();
  std::unique_ptr<Http1Connection> closed = std::move(connections_[index]);
  if (index + 1 < connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->set_index(index);
  }
  connections_.pop_back();
  bench_.turn.bury(std::move(closed));
}

// --- the loop --------------------------------------------------------------------------------------------

void Gateway::on_turn_finished() {
  arm_timer();
  if (retiring_ && connections_.empty()) finish(0);
}

void Gateway::arm_timer() {
  const std::optional<Instant> wake_at = bench_.deadlines.wake_at();
  if (!wake_at || (timer_at_ && *timer_at_ <= *wake_at)) return;
  timer_at_ = wake_at;
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(*wake_at - clock_.now());
  timer_.start(std::max(delay, std::chrono::milliseconds(0)));
}

}  // namespace rowhouse::gateway
