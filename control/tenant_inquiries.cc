#include "control/tenant_inquiries.h"

#include <utility>

namespace rowhouse::control {

bool TenantInquiries::write(TenantDraftText draft, TenantOrderAnswer answer) {
  Running running;
  running.kind = Kind::kWrite;
  running.draft = std::move(draft);
  running.order_answer = std::move(answer);
  running.deadline = clock_.now() + kOrderDeadline;
  return enqueue(std::move(running));
}

bool TenantInquiries::remove(const std::string& tenant, TenantOrderAnswer answer) {
  Running running;
  running.kind = Kind::kRemoval;
  running.removal.tenant = proto::Name::cut(tenant);
  running.order_answer = std::move(answer);
  running.deadline = clock_.now() + kRemovalDeadline;
  return enqueue(std::move(running));
}

bool TenantInquiries::put_manifest(const std::string& tenant, proto::ManifestUse use, UniqueFd text,
                                   TenantOrderAnswer answer) {
  Running running;
  running.kind = Kind::kManifest;
  running.manifest.tenant = proto::Name::cut(tenant);
  running.manifest.use = use;
  running.text = std::move(text);
  running.order_answer = std::move(answer);
  running.deadline = clock_.now() + kOrderDeadline;
  return enqueue(std::move(running));
}

bool TenantInquiries::query(const proto::TenantQuery& query, TenantsAnswer answer) {
  Running running;
  running.query = query;
  running.query_answer = std::move(answer);
  running.deadline = clock_.now() + kQueryDeadline;
  return enqueue(std::move(running));
}

bool TenantInquiries::enqueue(Running running) {
  if (waiting_.size() >= kMaxWaiting) return false;
  waiting_.push_back(std::move(running));
  start_waiting();
  return true;
}

// A removal takes as long as its tenant's requests: it keeps nobody else waiting.
void TenantInquiries::start_waiting() {
  std::size_t counted = 0;
  for (const auto& [request, running] : running_) counted += running.kind == Kind::kRemoval ? 0 : 1;
  while (!waiting_.empty() && counted < kMaxRunning) {
    const std::uint32_t request = next_request_++;
    if (next_request_ == 0) next_request_ = kFirstRequest;
    Running running = std::move(waiting_.front());
    waiting_.pop_front();
    running.draft.draft.request = running.removal.request = running.manifest.request = running.query.request = request;
    for (proto::TenantDraftDomain& domain : running.draft.domains) domain.request = request;
    if (running.kind != Kind::kRemoval) ++counted;
    send(running_.insert_or_assign(request, std::move(running)).first->second);
  }
}

void TenantInquiries::send(const Running& running) {
  switch (running.kind) {
    case Kind::kWrite: return sender_.send_draft(running.draft);
    case Kind::kRemoval: return sender_.send_removal(running.removal);
    case Kind::kManifest: return sender_.send_manifest(running.manifest, running.text.get());
    case Kind::kQuery: return sender_.send_tenant_query(running.query);
  }
}

TenantInquiries::Running* TenantInquiries::find(std::uint32_t request) {
  const auto found = running_.find(request);
  return found == running_.end() ? nullptr : &found->second;
}

void TenantInquiries::on_change(const proto::ReloadChange& change) {
  Running* running = find(change.request);
  if (running == nullptr || running->found.changes.size() >= proto::kMaxReloadChanges) return;
  running->found.changes.push_back(change);
}

void TenantInquiries::on_tenant_change(const proto::TenantChange& change) {
  Running* running = find(change.request);
  if (running == nullptr || running->found.tenants.size() >= proto::kMaxReloadChanges) return;
  running->found.tenants.push_back(change);
}

void TenantInquiries::on_written(const proto::TenantWritten& written, std::vector<std::string> sentences) {
  finish(written.request, written, std::move(sentences));
}

void TenantInquiries::on_manifest_done(const proto::ReloadDone& done, std::vector<std::string> sentences) {
  proto::TenantWritten written;
  written.request = done.request;
  written.outcome = done.outcome;
  finish(done.request, written, std::move(sentences));
}

void TenantInquiries::finish(std::uint32_t request, proto::TenantWritten done, std::vector<std::string> sentences) {
  const auto found = running_.find(request);
  if (found == running_.end() || !found->second.order_answer) return;
  Running finished = std::move(found->second);
  running_.erase(found);
  start_waiting();
  // The supervisor that died had carried it out already.
  const bool gone = finished.kind == Kind::kRemoval && finished.repeated;
  if (gone && done.outcome == proto::CommandOutcome::kNotFound) done.outcome = proto::CommandOutcome::kDone;
  finished.found.done = done;
  finished.found.sentences = std::move(sentences);
  finished.order_answer(std::move(finished.found));
}

void TenantInquiries::on_detail(const proto::TenantDetail& detail) {
  if (Running* running = find(detail.request)) running->tenants.tenants.push_back({detail, {}});
}

void TenantInquiries::on_domain(const proto::TenantDetailDomain& domain) {
  Running* running = find(domain.request);
  if (running == nullptr || running->tenants.tenants.empty()) return;
  running->tenants.tenants.back().domains.push_back(domain);
}

void TenantInquiries::on_query_end(const proto::TenantQueryEnd& end) {
  const auto found = running_.find(end.request);
  if (found == running_.end() || !found->second.query_answer) return;
  Running finished = std::move(found->second);
  running_.erase(found);
  start_waiting();
  finished.tenants.more = end.more;
  finished.query_answer(std::move(finished.tenants));
}

void TenantInquiries::repeat() {
  for (auto& [request, running] : running_) {
    running.found = {};
    running.tenants = {};
    running.repeated = true;
    send(running);
  }
}

void TenantInquiries::give_up(const Running& running) {
  if (running.order_answer) running.order_answer(std::nullopt);
  if (running.query_answer) running.query_answer(std::nullopt);
}

void TenantInquiries::sweep() {
  const Instant now = clock_.now();
  std::vector<Running> late;
  for (auto running = running_.begin(); running != running_.end();) {
    if (running->second.deadline > now) {
      ++running;
      continue;
    }
    late.push_back(std::move(running->second));
    running = running_.erase(running);
  }
  std::erase_if(waiting_, [&](Running& running) {
    if (running.deadline > now) return false;
    late.push_back(std::move(running));
    return true;
  });
  start_waiting();
  for (const Running& running : late) give_up(running);
}

}  // namespace rowhouse::control
