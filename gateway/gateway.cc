#include "gateway/gateway.h"

#include <algorithm>
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
  bench_.access_log = access_log_.get();
  const std::size_t share = std::max<std::size_t>(max_connections_ / kMinClientsToFill, 1);
  clients_.emplace(message.connections_per_address != 0 ? message.connections_per_address : share);
  for (EarlyListener& early : early_listeners_) {
    listen_on(std::move(early.socket), early.identity);
  }
  early_listeners_.clear();
  link_.send(proto::GatewayReady{});
  return {};
}

Status Gateway::on_message(const proto::GatewayOptions& message) {
  sites_.set_default_site(message.default_site.str());
  proxies_.by = message.forwarded ? ForwardedBy::kRfc7239 : ForwardedBy::kXForwarded;
  if (!message.penalties) {
    penalties_.reset();
  } else if (!penalties_) {
    penalties_.emplace();
  }
  return {};
}

Status Gateway::on_message(const proto::AcmeDirectory& message, UniqueFd root) {
  sites_.set_acme_directory(std::move(root), message.uid);
  return {};
}

Status Gateway::on_message(const proto::SpoolDirectory&, UniqueFd directory) {
  spool_ = std::move(directory);
  bench_.spool = spool_.get();
  return {};
}

Status Gateway::on_message(const proto::TrustedProxy& message) {
  proxies_.trusted.add(message);
  return {};
}

Status Gateway::on_message(const proto::Listener& message, UniqueFd socket) {
  RH_TRY(set_nonblocking(socket.get()));
  if (retiring_) return {};
  const ListenerIdentity identity{message.listener,
                                  message.proxy_protocol ? Preface::kProxyHeader : Preface::kNone};
  if (access_log_ == nullptr) {
    early_listeners_.push_back({std::move(socket), identity});
  } else {
    listen_on(std::move(socket), identity);
  }
  return {};
}

// One that is known already stays, unless its clients shall begin otherwise.
void Gateway::listen_on(UniqueFd socket, const ListenerIdentity& identity) {
  std::unique_ptr<Listener> known = take_listener(identity.number);
  if (known == nullptr || known->identity().preface != identity.preface) {
    known = std::make_unique<Listener>(loop_.get(), std::move(socket), identity, *this);
  }
  listeners_.push_back(std::move(known));
}

std::unique_ptr<Listener> Gateway::take_listener(std::uint32_t number) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [number](const auto& known) { return known->identity().number == number; });
  if (found == listeners_.end()) return nullptr;
  std::unique_ptr<Listener> taken = std::move(*found);
  listeners_.erase(found);
  return taken;
}

Status Gateway::on_message(const proto::ListenerGone& message) {
  std::erase_if(early_listeners_,
                [&](const EarlyListener& early) { return early.identity.number == message.listener; });
  const std::unique_ptr<Listener> gone = take_listener(message.listener);
  if (gone == nullptr) return {};
  bench_.turn.refresh();
  gone->take_the_rest();
  // From the end, as in Retire.
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (connections_[i]->address().listener == message.listener) connections_[i]->retire();
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

Status Gateway::on_message(const proto::AppPart& message, UniqueFd part) {
  return sites_.on_part(message, std::move(part));
}

Status Gateway::on_message(const proto::AppRetry& message) {
  return sites_.on_retry(message);
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

Status Gateway::on_message(const proto::Probe& message) {
  sites_.on_probe(message);
  return {};
}

Status Gateway::on_message(const proto::WorkerLeaving& message) {
  sites_.on_worker_leaving(message);
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

// A new supervisor at the other end: what it cannot know, and what the one before it may not have dealt with.
Status Gateway::on_message(const proto::Resync& message) {
  sites_.for_each_app([this](const App& app) {
    link_.send(proto::GatewayApp{app.number(), app.generation()});
    for (const auto& worker : app.workers()) {
      const WorkerIdentity& identity = worker->identity();
      link_.send(proto::GatewayWorker{identity.app, identity.generation, identity.worker});
    }
  });
  sites_.for_each_app([this](const App& app) {
    for (const auto& worker : app.workers()) {
      for (const proto::FaultKind kind : {proto::FaultKind::kProtocol, proto::FaultKind::kRequestTimeout}) {
        if (worker->has_reported(kind)) on_worker_fault(worker->identity(), kind);
      }
    }
  });
  link_.send(proto::Resynced{message.nonce});
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

void Gateway::on_client(UniqueFd socket, ClientAddress address, Preface preface) {
  bench_.turn.refresh();
  address.trusted = address.bytes ? proxies_.trusted.trusts(*address.bytes) : proxies_.trusted.trusts_local();
  // Whoever may not say who its client is has no business at such a door.
  if (preface == Preface::kProxyHeader && !address.trusted) return;
  if (connections_.size() >= max_connections_ || !admit(address)) {
    turn_client_away(std::move(socket));
    return;
  }
  const ConnectionPlace place{sites_, *access_log_, proxies_, *this};
  connections_.push_back(
      std::make_unique<Http1Connection>(bench_, place, std::move(socket), std::move(address), preface));
  connections_.back()->set_index(connections_.size() - 1);
}

bool Gateway::admit(ClientAddress& address) {
  if (address.trusted) return true;
  if (penalties_ && penalties_->is_barred(address.client, bench_.turn.now())) return false;
  address.counted = clients_->enter(address.client);
  if (!address.counted) on_crowd(address);
  return address.counted;
}

void Gateway::on_fault(const ClientAddress& address) {
  if (penalties_ && !address.trusted) penalties_->note_fault(address.client, bench_.turn.now());
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
  if (connection.address().counted) clients_->leave(connection.address().client);
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
