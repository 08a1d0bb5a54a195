// An HTTP/1.1 connection as one of a tenant's: it is counted among them from the first request for a site of the
// tenant's until it closes or asks for another tenant's, and what it writes leaves the tenant's bucket.
#include "gateway/app.h"
#include "gateway/http1_connection.h"

namespace rowhouse::gateway {
namespace {

using Flow = ClientSocket::Flow;

constexpr std::uint32_t kRetryS = 1;
constexpr Refusal kTooManyConnections{503, proto::Cause::kConnections, kRetryS, AfterAnswer::kClose};

struct Owner {
  Tenant* tenant = nullptr;
  std::uint32_t app = 0;
};

Owner owner_of(const SiteMatch& match) {
  if (const auto* app = std::get_if<AppMatch>(&match)) return {app->tenant, app->app->number()};
  if (const auto* file = std::get_if<StaticMatch>(&match)) return {file->tenant, file->app};
  if (const auto* redirect = std::get_if<RedirectMatch>(&match)) return {redirect->tenant, redirect->app};
  return {};
}

}  // namespace

std::optional<Refusal> Http1Connection::join_tenant_of(const SiteMatch& match) {
  const Owner owner = owner_of(match);
  if (owner.tenant == nullptr || owner.tenant == tenant_) return std::nullopt;
  leave_tenant();
  if (!owner.tenant->traffic.enter()) {
    exchange_.tally().app = owner.app;
    return kTooManyConnections;
  }
  tenant_ = owner.tenant;
  bench_.turn_shares.note(tenant_->turn_share, bench_.turn.now());
  return std::nullopt;
}

void Http1Connection::leave_tenant() {
  if (tenant_ == nullptr) return;
  tenant_->pacer.leave(*this);
  place_.sites.leave(*tenant_);
  tenant_ = nullptr;
}

bool Http1Connection::may_have(TurnWork work) {
  const std::uint64_t turn = bench_.turn.number();
  if (tenant_ == nullptr) return bench_.turn_shares.admit_stranger(work, turn);
  return bench_.turn_shares.admit(tenant_->turn_share, work, turn, bench_.turn.now());
}

bool Http1Connection::may_read() {
  return may_have(TurnWork::kRead);
}

// Only what can begin a request is counted: the rest of one that runs is bounded by what the worker takes.
bool Http1Connection::may_resume() {
  const bool can_begin = state_ == State::kHead || state_ == State::kDraining;
  return !can_begin || input_.empty() || may_have(TurnWork::kNextRequest);
}

// The output, then the file, as far as the tenant's bucket and the client let it.
Flow Http1Connection::flush_paced() {
  const Instant now = bench_.turn.now();
  const std::uint64_t granted = tenant_ != nullptr ? tenant_->pacer.grant(*this, now) : Pacer::kNoLimit;
  socket_.set_allowance(granted);
  Flow flow = socket_.flush();
  if (flow == Flow::kDone && has_file_left()) flow = flush_file();
  if (granted == Pacer::kNoLimit) return flow;
  const Pacer::Wish wish = flow == Flow::kPaced ? Pacer::Wish::kMore : Pacer::Wish::kNothing;
  tenant_->pacer.note_sent(*this, granted - socket_.allowance(), wish, now);
  return flow;
}

bool Http1Connection::is_paced() const {
  return tenant_ != nullptr && tenant_->pacer.is_waiting(*this);
}

}  // namespace rowhouse::gateway
