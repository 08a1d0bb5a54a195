#include "control/inquiries.h"

#include <utility>

namespace rowhouse::control {

void Inquiries::query(std::uint64_t client, std::string_view tenant, std::string_view app,
                      QueryAnswer answer) {
  RunningQuery query;
  query.client = client;
  query.query.tenant = proto::Name::cut(tenant);
  query.query.app = proto::Name::cut(app);
  query.answer = std::move(answer);
  query.deadline = clock_.now() + kQueryDeadline;
  waiting_.push_back(std::move(query));
  start_waiting();
}

void Inquiries::query_page(std::uint64_t client, std::uint32_t after_app, QueryAnswer answer) {
  RunningQuery query;
  query.client = client;
  query.query.after_app = after_app;
  query.pages = Pages::kOne;
  query.answer = std::move(answer);
  query.deadline = clock_.now() + kQueryDeadline;
  waiting_.push_back(std::move(query));
  start_waiting();
}

void Inquiries::forget_client(std::uint64_t client) {
  std::erase_if(waiting_, [client](const RunningQuery& query) { return query.client == client; });
}

void Inquiries::start_waiting() {
  while (!waiting_.empty() && queries_.size() < kMaxRunningQueries) {
    const std::uint32_t request = next_request_++;
    RunningQuery query = std::move(waiting_.front());
    waiting_.pop_front();
    query.query.request = request;
    const proto::Query message = query.query;
    queries_.emplace(request, std::move(query));
    sender_.send_query(message);
  }
}

void Inquiries::command(std::uint32_t app, proto::CommandKind kind, CommandAnswer answer) {
  const std::uint32_t request = next_request_++;
  const proto::Command command{request, app, kind};
  commands_.emplace(request, RunningCommand{command, std::move(answer), clock_.now() + kCommandDeadline});
  sender_.send_command(command);
}

void Inquiries::reload(ReloadAnswer answer) {
  const std::uint32_t request = next_request_++;
  reloads_.emplace(request, RunningReload{std::nullopt, {}, std::move(answer), clock_.now() + kReloadDeadline});
  sender_.send_reload({request});
}

void Inquiries::reload_tenant(std::string_view tenant, TenantScope scope, ReloadAnswer answer) {
  const std::uint32_t request = next_request_++;
  const proto::ReloadTenantOrder order{request, proto::Name::cut(tenant), scope == TenantScope::kFileAndManifest};
  reloads_.emplace(request, RunningReload{order, {}, std::move(answer), clock_.now() + kReloadDeadline});
  sender_.send_reload_tenant(order);
}

void Inquiries::upgrade(UpgradeAnswer answer) {
  const std::uint32_t request = next_request_++;
  upgrades_.emplace(request, RunningUpgrade{std::move(answer), clock_.now() + kUpgradeDeadline});
  sender_.send_upgrade({request});
}

void Inquiries::on_app_info(const proto::AppInfo& info) {
  const auto query = queries_.find(info.request);
  if (query != queries_.end()) query->second.found.apps.push_back({info, {}, {}, {}});
}

void Inquiries::on_worker_info(const proto::WorkerInfo& info) {
  const auto query = queries_.find(info.request);
  if (query == queries_.end() || query->second.found.apps.empty()) return;
  AppStatus& app = query->second.found.apps.back();
  if (app.info.app == info.app) (info.is_template ? app.templates : app.workers).push_back(info);
}

void Inquiries::on_query_end(const proto::QueryEnd& end) {
  const auto query = queries_.find(end.request);
  if (query == queries_.end()) return;
  query->second.found.next_after = end.next_after;
  // Pages go forward only, so that they end.
  if (query->second.pages == Pages::kAll && end.next_after > query->second.query.after_app) {
    query->second.query.after_app = end.next_after;
    query->second.deadline = clock_.now() + kQueryDeadline;
    sender_.send_query(query->second.query);
    return;
  }
  RunningQuery finished = std::move(query->second);
  queries_.erase(query);
  start_waiting();
  finished.answer(std::move(finished.found));
}

void Inquiries::on_command_done(const proto::CommandDone& done) {
  const auto command = commands_.find(done.request);
  if (command == commands_.end()) return;
  const CommandAnswer answer = std::move(command->second.answer);
  commands_.erase(command);
  answer(done);
}

void Inquiries::on_app_usage(const proto::AppUsage& usage) {
  const auto query = queries_.find(usage.request);
  if (query == queries_.end() || query->second.found.apps.empty()) return;
  AppStatus& app = query->second.found.apps.back();
  if (app.info.app == usage.app) app.usage = usage.usage;
}

void Inquiries::on_app_traffic(const proto::AppTraffic& traffic) {
  const auto query = queries_.find(traffic.request);
  if (query == queries_.end() || query->second.found.apps.empty()) return;
  AppStatus& app = query->second.found.apps.back();
  if (app.info.app == traffic.app) app.traffic = traffic;
}

void Inquiries::on_tenant_usage(const proto::TenantUsage& usage) {
  const auto query = queries_.find(usage.request);
  if (query != queries_.end()) query->second.found.tenants[usage.tenant.str()] = usage;
}

void Inquiries::on_reload_change(const proto::ReloadChange& change) {
  const auto reload = reloads_.find(change.request);
  if (reload == reloads_.end() || reload->second.found.changes.size() >= proto::kMaxReloadChanges) return;
  reload->second.found.changes.push_back(change);
}

void Inquiries::on_tenant_change(const proto::TenantChange& change) {
  const auto reload = reloads_.find(change.request);
  if (reload == reloads_.end() || reload->second.found.tenants.size() >= proto::kMaxReloadChanges) return;
  reload->second.found.tenants.push_back(change);
}

void Inquiries::on_reload_done(const proto::ReloadDone& done, std::vector<std::string> sentences) {
  const auto reload = reloads_.find(done.request);
  if (reload == reloads_.end()) return;
  RunningReload finished = std::move(reload->second);
  reloads_.erase(reload);
  finished.found.done = done;
  finished.found.sentences = std::move(sentences);
  finished.answer(std::move(finished.found));
}

void Inquiries::on_upgrade_done(const proto::UpgradeDone& done) {
  const auto upgrade = upgrades_.find(done.request);
  if (upgrade == upgrades_.end()) return;
  const UpgradeAnswer answer = std::move(upgrade->second.answer);
  upgrades_.erase(upgrade);
  answer(done);
}

void Inquiries::repeat() {
  for (auto& [request, query] : queries_) {
    // From its first page: of the one that was under way nobody knows how much had come.
    query.found = {};
    if (query.pages == Pages::kAll) query.query.after_app = 0;
    sender_.send_query(query.query);
  }
  for (const auto& [request, command] : commands_) sender_.send_command(command.command);
  for (auto& [request, reload] : reloads_) {
    reload.found = {};
    if (reload.tenant) {
      sender_.send_reload_tenant(*reload.tenant);
    } else {
      sender_.send_reload({request});
    }
  }
  for (const auto& [request, upgrade] : upgrades_) sender_.send_upgrade({request});
}

void Inquiries::sweep() {
  const Instant now = clock_.now();
  std::vector<QueryAnswer> late_queries;
  std::vector<CommandAnswer> late_commands;
  std::erase_if(queries_, [&](auto& query) {
    if (query.second.deadline > now) return false;
    late_queries.push_back(std::move(query.second.answer));
    return true;
  });
  std::erase_if(waiting_, [&](auto& query) {
    if (query.deadline > now) return false;
    late_queries.push_back(std::move(query.answer));
    return true;
  });
  std::erase_if(commands_, [&](auto& command) {
    if (command.second.deadline > now) return false;
    late_commands.push_back(std::move(command.second.answer));
    return true;
  });
  std::vector<ReloadAnswer> late_reloads;
  std::erase_if(reloads_, [&](auto& reload) {
    if (reload.second.deadline > now) return false;
    late_reloads.push_back(std::move(reload.second.answer));
    return true;
  });
  std::vector<UpgradeAnswer> late_upgrades;
  std::erase_if(upgrades_, [&](auto& upgrade) {
    if (upgrade.second.deadline > now) return false;
    late_upgrades.push_back(std::move(upgrade.second.answer));
    return true;
  });
  start_waiting();
  for (const UpgradeAnswer& answer : late_upgrades) answer(std::nullopt);
  for (const ReloadAnswer& answer : late_reloads) answer(std::nullopt);
  for (const QueryAnswer& answer : late_queries) answer(std::nullopt);
  for (const CommandAnswer& answer : late_commands) answer(std::nullopt);
}

}  // namespace rowhouse::control
