// The last good configuration on disk: what is accepted is kept, and a start that finds a broken tenant file or manifest
// goes on with what was accepted last.  The problem stays told, as after a reload that refused the file.
//
//   start -> tenant files -> those that are refused once more, from what was kept of them -> ids, gate as for any other
//         -> each manifest -> refused, and none of this tenant is in force -> from what was kept, as its loader reads it
#include <unistd.h>

#include "base/files.h"
#include "base/foreign_files.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {

Status Supervisor::open_last_good(UniqueFd state) {
  RH_ASSIGN(last_good_, LastGood::open(loop_.get(), clock_, std::move(state)));
  return {};
}

// Unread but for its size; a text that is not sealed, or too large, is not kept.
void Supervisor::keep_text(LastGood::Kind kind, const TenantEntry& tenant, UniqueFd text) {
  if (!text.valid()) return;
  auto bytes = read_sealed_memory(text.get(), proto::kMaxConfigurationBytes);
  close_foreign_file(std::move(text));
  if (!bytes.ok() || last_good_ == nullptr) return;
  const bool manifest = kind == LastGood::Kind::kManifest;
  last_good_->put(kind, tenant.name, {manifest ? tenant.uid : 0, std::move(bytes).value()});
}

// --- tenant files, at the start ------------------------------------------------------------------------------------

void Supervisor::load_kept_tenants() {
  Configuration::Texts texts;
  for (const auto& [name, problem] : file_problems_) {
    if (last_good_ == nullptr || configuration_.tenants().contains(name)) continue;
    if (auto text = last_good_->find(LastGood::Kind::kTenant, name, 0)) texts[name] = *std::move(text);
  }
  if (texts.empty()) return on_tenants_loaded();
  configuration_.load_kept_tenants(
      std::move(texts),
      [](const std::string& name, TenantAnswer answer) {
        if (!answer.problem.valid()) {
          log_warning("tenant file refused; what was accepted last is in force", {{"tenant", name}});
          return;
        }
        log_warning("tenant file refused, and what was accepted last too", {{"tenant", name}});
        print_problem(STDERR_FILENO, answer.problem);
      },
      [this] { on_tenants_loaded(); });
}

// --- manifests -----------------------------------------------------------------------------------------------------

void Supervisor::try_kept_manifest(const TenantEntry& tenant) {
  // Once: from then on what is in force stays, whatever it is.
  if (!read_manifests_.insert(tenant.name).second) return;
  auto text = last_good_->find(LastGood::Kind::kManifest, tenant.name, tenant.uid);
  if (!text) return;
  kept_loading_.insert(tenant.name);
  configuration_.load_kept_manifest(tenant.name, *std::move(text), [this, name = tenant.name](ManifestAnswer answer) {
    on_kept_manifest(name, std::move(answer));
  });
}

void Supervisor::on_kept_manifest(const std::string& name, ManifestAnswer answer) {
  // A file that was accepted meanwhile is newer.
  const bool wanted = kept_loading_.erase(name) > 0;
  const auto tenant = configuration_.tenants().find(name);
  if (wanted && tenant != configuration_.tenants().end() && !leaving_tenants_.contains(name)) {
    if (answer.problem.valid()) {
      log_warning("manifest refused, and what was accepted last too", {{"tenant", name}});
      print_problem(STDERR_FILENO, answer.problem);
    } else {
      log_warning("manifest refused; what was accepted last is in force", {{"tenant", name}});
      std::vector<TenantNews> news;
      apply_apps(tenant->second, std::move(answer.apps), news);
      log_news(news);
    }
  }
  end_first_look(name);
}

void Supervisor::end_first_look(const std::string& tenant) {
  if (kept_loading_.contains(tenant)) return;
  first_looks_.erase(tenant);
  report_ready_if_done();
}

}  // namespace rowhouse::supervisor
