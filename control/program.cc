#include "control/program.h"

#include <csignal>
#include <random>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/message_socket.h"
#include "base/printable.h"

namespace rowhouse::control {
namespace {

constexpr std::chrono::milliseconds kSweepPeriod{1000};

// One safe sentence for each line that is not empty.
std::vector<std::string> split_sentences(std::string_view text) {
  std::vector<std::string> sentences;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) sentences.push_back(terminal_safe(line));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return sentences;
}

}  // namespace

Program::Program(UniqueFd control_socket)
    : server_(loop_.get(), registry_),
      followers_(server_),
      event_followers_(server_, registry_),
      hooks_(loop_.get()),
      event_spread_(event_followers_, hooks_),
      chronicle_(loop_.get(), clock_, event_spread_,
                 [this](const proto::DeathStored& stored) { ledger_.acknowledge(stored); }),
      book_(loop_.get(), registry_, clock_, followers_, chronicle_),
      link_(loop_.get(), std::move(control_socket), *this),
      inquiries_(link_, clock_),
      tenants_(link_, clock_),
      ledger_(loop_.get(), clock_, registry_, inquiries_,
              [this](const proto::DeathStored& stored) { link_.send_stored(stored); }),
      api_({registry_, book_, inquiries_, server_, followers_, chronicle_, event_followers_, ledger_, hooks_, tenants_, clock_,
            std::random_device()()}),
      sweep_(loop_.get(), [this] {
        inquiries_.sweep();
        tenants_.sweep();
      }),
      retired_(loop_.get(), [this] { on_supervisor_gone("retired"); }),
      terminate_(loop_.get(), SIGTERM, [this] { on_supervisor_gone("SIGTERM"); }) {
  sweep_.repeat(kSweepPeriod);
}

int Program::run() {
  loop_.run();
  book_.drain_all();
  hooks_.close();
  chronicle_.close();
  ledger_.close();
  return 0;
}

void Program::on_setup(UniqueFd listener, UniqueFd logs) {
  book_.open(std::move(logs));
  chronicle_.open(book_.directory());
  hooks_.open(book_.directory(), chronicle_.events());
  server_.listen(std::move(listener), api_);
  link_.send_ready();
  ledger_.start();
}

void Program::on_tenant(const proto::TenantInfo& tenant) {
  if (tenant.uid == proto::kTenantGone) {
    registry_.remove_tenant(tenant.tenant.str());
  } else {
    registry_.set_tenant(tenant.tenant.str(), tenant.uid);
  }
  followers_.close_unpermitted(registry_);
}

void Program::on_tenant_suspension(const proto::TenantSuspension& suspension) {
  const std::string tenant = suspension.tenant.str();
  if (suspension.app.view().empty()) registry_.lift_suspensions(tenant);
  if (!suspension.suspended) return;
  registry_.set_suspension({tenant, suspension.app.str()}, terminal_safe(suspension.reason.view()));
}

void Program::on_tenant_problem(const proto::TenantProblem& problem, UniqueFd sentences) {
  const std::string tenant = problem.tenant.str();
  if (problem.resolved) {
    registry_.set_problem(tenant, {});
    chronicle_.add_problem(tenant, {});
    return;
  }
  const auto text = read_sealed_memory(sentences.get(), proto::kMaxErrorTextBytes);
  if (!text.ok()) log_warning("tenant_problem_unreadable", {{"tenant", tenant}, {"error", text.error()}});
  std::vector<std::string> lines = text.ok() ? split_sentences(text.value()) : std::vector<std::string>{};
  if (lines.empty()) lines.push_back("The configuration was refused; the reason could not be read.");
  chronicle_.add_problem(tenant, lines);
  registry_.set_problem(tenant, std::move(lines));
}

void Program::on_log_source(const proto::LogSource& source, UniqueFd pipe) {
  registry_.learn_app(source.app, {source.tenant.str(), source.name.str()});
  book_.add_source(source, std::move(pipe));
}

void Program::on_access_source(const proto::AccessSource& source, UniqueFd socket) {
  book_.add_access_source(source.gateway, std::move(socket));
}

void Program::on_death(const proto::Death& death) {
  const AppName app{death.tenant.str(), death.name.str()};
  registry_.learn_app(death.app, app);
  ledger_.add_death(app, death);
  chronicle_.add_death(app, death, book_);
}

void Program::on_notice(const proto::AppNotice& notice) {
  const AppName app{notice.tenant.str(), notice.name.str()};
  registry_.learn_app(notice.app, app);
  book_.add_notice(notice);
  const std::string* suspension = registry_.suspension_of(app);
  chronicle_.add_notice(app, notice, suspension == nullptr ? "" : *suspension);
}

void Program::on_app_info(const proto::AppInfo& info) {
  registry_.learn_app(info.app, {info.tenant.str(), info.name.str()});
  inquiries_.on_app_info(info);
}

// Request 0: nobody has asked.
void Program::on_app_usage(const proto::AppUsage& usage) {
  usage.request == 0 ? ledger_.take_last_usage(usage) : inquiries_.on_app_usage(usage);
}

void Program::on_app_traffic(const proto::AppTraffic& traffic) {
  traffic.request == 0 ? ledger_.take_last_traffic(traffic) : inquiries_.on_app_traffic(traffic);
}

void Program::on_tenant_usage(const proto::TenantUsage& usage) {
  usage.request == 0 ? ledger_.take_last_usage(usage) : inquiries_.on_tenant_usage(usage);
}

void Program::on_reload_done(const proto::ReloadDone& done, UniqueFd sentences) {
  const auto text = read_sealed_memory(sentences.get(), proto::kMaxErrorTextBytes);
  std::vector<std::string> lines = text.ok() ? split_sentences(text.value()) : std::vector<std::string>{};
  if (done.request >= TenantInquiries::kFirstRequest) return tenants_.on_manifest_done(done, std::move(lines));
  inquiries_.on_reload_done(done, std::move(lines));
}

void Program::on_reload_change(const proto::ReloadChange& change) {
  inquiries_.on_reload_change(change);
  tenants_.on_change(change);
}

void Program::on_tenant_change(const proto::TenantChange& change) {
  inquiries_.on_tenant_change(change);
  tenants_.on_tenant_change(change);
}

void Program::on_tenant_written(const proto::TenantWritten& written, UniqueFd sentences) {
  const auto text = read_sealed_memory(sentences.get(), proto::kMaxErrorTextBytes);
  tenants_.on_written(written, text.ok() ? split_sentences(text.value()) : std::vector<std::string>{});
}

void Program::on_resync() {
  inquiries_.repeat();
  tenants_.repeat();
}

// New callers wait for the next process. Those that follow a log would never end: they are cut with the rest.
void Program::on_retire(const proto::ControlRetire& retire) {
  server_.retire([this] { retired_.start(std::chrono::milliseconds(0)); });
  retired_.start(std::chrono::milliseconds(retire.drain_ms));
}

void Program::on_supervisor_gone(const char* reason) {
  log_info("stopping", {{"reason", reason}});
  loop_.stop();
}

}  // namespace rowhouse::control
