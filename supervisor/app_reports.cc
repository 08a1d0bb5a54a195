// What an app tells others: gateways its settings, condition and workers; control its state, steps and deaths.
#include <fcntl.h>

#include <algorithm>

#include "base/foreign_files.h"
#include "base/log.h"
#include "supervisor/app.h"

namespace rowhouse::supervisor {

using proto::Cause;

void App::configure(Gateway& gateway) {
  const auto fronts = spec_.fronts();
  for (std::size_t i = 0; i < fronts.size(); ++i) configure(gateway, identities_[i], *fronts[i]);
}

void App::configure(Gateway& gateway, const Identity& identity, const AppFront& front) {
  PeerLink& link = gateway.link();
  const Plan& plan = around_.host->plans.at(tenant_.plan);
  const proto::AppRecord& settings = front.settings;
  const std::uint32_t number = identity.number;
  proto::AppBegin begin;
  begin.app = number;
  begin.slot = identity.row;
  begin.revision = revision_;
  begin.tenant = proto::Name::cut(tenant_.name);
  begin.name = settings.name;
  begin.uid = tenant_.uid;
  begin.body_bytes = settings.body_bytes;
  begin.request_ms = settings.request_ms;
  begin.queue_ms = settings.queue_ms;
  begin.concurrency = plan.concurrency;
  begin.queue = plan.queue;
  begin.rate = plan.rate;
  begin.connections = plan.connections;
  begin.bytes_out = plan.bytes_out;
  link.send(begin);
  // Before anything of it can be asked for: also what needs no worker is not served while it is suspended.
  link.send(condition(number));
  for (const Route& route : front.routes) {
    link.send(proto::AppRoute{number, proto::Host::cut(route.host), proto::Prefix::cut(route.prefix)});
  }
  for (const StaticDirectory& directory : front.statics) {
    link.send(proto::AppStatic{number, proto::Prefix::cut(directory.prefix)}, {directory.directory.get()});
  }
  if (front.gateway_part.valid()) link.send(proto::AppPart{number}, {front.gateway_part.get()});
  link.send(proto::AppRetry{number, settings.retry});
  link.send(proto::AppCommit{number, revision_});
}

void App::configure_all() {
  ++revision_;
  around_.gateways->for_each([this](Gateway& gateway) { configure(gateway); });
  tell_condition();
}

void App::introduce_to(Gateway& gateway) {
  configure(gateway);
  tell_condition_to(gateway);
  for (Sandbox* sandbox : sandboxes()) {
    for (const auto& [id, worker] : sandbox->workers()) {
      if (worker->row() && worker->state() == proto::WorkerState::kReady) introduce_worker(gateway, *sandbox, *worker);
    }
  }
  Sandbox* current = switching_ ? next_.get() : serving_.get();
  if (current != nullptr) tell_use(gateway, current->generation());
}

void App::tell_use(Gateway& gateway, std::uint32_t generation) const {
  for (const Identity& identity : identities_) gateway.link().send(proto::Switch{identity.number, generation});
}

// How many requests it runs at the same time: what the manifest says of its kind of app.
std::uint32_t App::places_of(const Worker& worker, std::size_t app) const {
  const proto::AppRecord& settings = spec_.fronts()[app]->settings;
  return worker.runs_event_loop(app) && settings.concurrency != 0 ? settings.concurrency : settings.threads;
}

std::uint32_t App::places_of(const Worker& worker) const {
  std::uint32_t places = 0;
  for (std::size_t i = 0; i < identities_.size(); ++i) places += places_of(worker, i);
  return places;
}

std::uint32_t App::queued() const {
  std::uint32_t sum = 0;
  for (const Identity& identity : identities_) sum += around_.rows->app_queued(identity.row);
  return sum;
}

void App::introduce_worker(Gateway& gateway, Sandbox& sandbox, Worker& worker) {
  for (std::size_t i = 0; i < identities_.size(); ++i) introduce_worker(gateway, sandbox, worker, i);
}

// To a gateway the apps of a share have workers that happen to have the same number.
void App::introduce_worker(Gateway& gateway, Sandbox& sandbox, Worker& worker, std::size_t app) {
  auto channel = create_stream_pair();
  Status status = channel.ok() ? Status() : Status(channel.error());
  // Before the worker has its end: nothing but bytes ever comes to the gateway.
  if (status.ok()) refuse_descriptors(channel.value().ours.get());
  if (status.ok()) status = worker.send_channel(gateway.index(), app, channel.value().theirs.get());
  if (!status.ok()) {
    log_warning("cannot give a worker its channel", {{"worker", worker.id()}, {"reason", status.error()}});
    // One that does not read its lifeline, or for which there are no descriptors: this gateway would never have it.
    return worker.leave(proto::Cause::kSpawn);
  }
  proto::WorkerAdd add;
  add.app = identities_[app].number;
  add.generation = sandbox.generation();
  add.worker = worker.id();
  add.slot = app < worker.rows().size() ? worker.rows()[app] : 0;
  add.threads = places_of(worker, app);
  gateway.link().send(add, {channel.value().ours.get()});
}

proto::AppConditionChange App::condition(std::uint32_t number) const {
  const proto::AppState now = state();
  if (now == proto::AppState::kSuspended) return {number, proto::AppCondition::kSuspended, 0};
  if (now == proto::AppState::kStopped) return {number, proto::AppCondition::kStopped, 0};
  if (now != proto::AppState::kBackoff) return {number, proto::AppCondition::kServing, 0};
  const Duration left = retry_at_ - around_.clock->now();
  const auto left_s = static_cast<std::uint32_t>(std::max<std::int64_t>(1, (left.count() + 999'999) / 1'000'000));
  return {number, proto::AppCondition::kBackoff, left_s};
}

void App::tell_condition_to(Gateway& gateway) const {
  for (const Identity& identity : identities_) gateway.link().send(condition(identity.number));
}

void App::tell_condition() {
  around_.gateways->for_each([this](Gateway& gateway) { tell_condition_to(gateway); });
  remember();
}

void App::notice(proto::NoticeKind kind, std::uint32_t generation, std::uint32_t number) {
  for (const Identity& identity : identities_) {
    proto::AppNotice message;
    message.app = identity.number;
    message.tenant = proto::Name::cut(tenant_.name);
    message.name = proto::Name::cut(identity.name);
    message.kind = kind;
    message.generation = generation;
    message.number = number;
    message.at_ms = around_.clock->wall_ms();
    around_.control->send(message);
  }
}

void App::note_death(std::uint32_t generation, std::uint32_t worker, proto::Ending ending) {
  const std::int64_t now_ms = around_.clock->wall_ms();
  // Each app of a share has died of it, and each has a log and requests that tell its part of the story.
  for (const Identity& identity : identities_) {
    around_.control->record(proto::Death{identity.number, generation, worker, ending.cause, ending.argument, now_ms,
                                        ending.limits, ending.process, proto::Name::cut(tenant_.name),
                                        proto::Name::cut(identity.name)});
  }
  if (is_planned(ending.cause)) return;
  log_warning("worker died", {{"app", tenant_.name + "/" + name_},
                              {"generation", generation},
                              {"worker", worker},
                              {"cause", proto::cause_name(ending.cause)},
                              {"argument", ending.argument}});
  last_exit_ = ending;
  last_exit_ms_ = now_ms;
  last_exit_generation_ = generation;
  last_exit_worker_ = worker;
  remember();
}

void App::on_log_pipe(Sandbox& sandbox, std::uint32_t worker, std::size_t app, UniqueFd pipe, Kept kept) {
  log_pipes_.push_back({sandbox.generation(), worker, app, std::move(pipe), std::move(kept)});
  offer_log_pipe(log_pipes_.back());
}

void App::offer_log_pipes() {
  for (const LogPipe& entry : log_pipes_) offer_log_pipe(entry);
}

void App::offer_log_pipe(const LogPipe& pipe) {
  const Identity& identity = identities_[pipe.app];
  const proto::LogSource source{identity.number, pipe.generation, pipe.worker, proto::Name::cut(tenant_.name),
                                proto::Name::cut(identity.name)};
  around_.control->send(source, {pipe.pipe.get()});
}

void App::forget_log_pipes(std::uint32_t generation, std::uint32_t worker) {
  std::erase_if(log_pipes_, [&](const LogPipe& entry) {
    return entry.generation == generation && entry.worker == worker;
  });
}

proto::AppInfo App::describe(const Identity& identity) const {
  proto::AppInfo info;
  info.app = identity.number;
  info.tenant = proto::Name::cut(tenant_.name);
  info.name = proto::Name::cut(identity.name);
  info.state = state();
  const Sandbox* current = serving_ != nullptr ? serving_.get() : next_.get();
  info.generation = current != nullptr ? current->generation() : last_generation_;
  info.restarts = restarts_;
  info.workers_min = spec_.settings.workers_min;
  info.workers_max = spec_.settings.workers_max;
  info.exit_cause = last_exit_.cause;
  info.exit_argument = last_exit_.argument;
  info.exit_at_ms = last_exit_ms_;
  info.exit_generation = last_exit_generation_;
  info.exit_worker = last_exit_worker_;
  info.exit_limits = last_exit_.limits;
  const Duration left = retry_.active() ? retry_at_ - around_.clock->now() : Duration::zero();
  info.retry_in_ms = static_cast<std::uint32_t>(std::max<std::int64_t>(0, left.count() / 1000));
  info.missing_walls = around_.cgroups->missing_walls() | around_.limits->missing(tenant_.name) |
                       (current != nullptr ? current->missing_walls() : 0);
  if (network_of(tenant_, *around_.host).mode == proto::NetworkMode::kHost) {
    info.missing_walls |= static_cast<std::uint32_t>(proto::Wall::kPrivateNetwork);
  }
  return info;
}

CommandResult App::write_stacks() {
  CommandResult result{proto::CommandOutcome::kConflict, {}, 0, 0};
  for (const Sandbox* sandbox : sandboxes()) {
    for (const auto& [id, worker] : sandbox->workers()) {
      if (!worker->write_stacks()) continue;
      result.outcome = proto::CommandOutcome::kDone;
      result.generation = std::max(result.generation, sandbox->generation());
    }
  }
  return result;
}

std::vector<proto::WorkerInfo> App::describe_workers(const Identity& identity) const {
  std::vector<proto::WorkerInfo> infos;
  const auto app = static_cast<std::size_t>(&identity - identities_.data());
  for (const Sandbox* sandbox : sandboxes()) {
    for (const Worker* worker : sandbox->processes()) {
      proto::WorkerInfo info;
      info.app = identity.number;
      info.generation = sandbox->generation();
      info.worker = worker->id();
      info.pid = static_cast<std::uint32_t>(worker->pid());
      info.state = worker->state();
      if (app < worker->rows().size()) info.requests = around_.rows->worker_requests(worker->rows()[app]);
      info.memory_bytes = worker->memory_bytes();
      info.is_template = worker->role() == WorkerRole::kTemplate;
      infos.push_back(info);
    }
  }
  return infos;
}

}  // namespace rowhouse::supervisor
