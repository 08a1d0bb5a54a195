#include "control/registry.h"

#include <algorithm>

#include "proto/limits.h"

namespace rowhouse::control {

bool is_name(std::string_view text) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto is_allowed = [&](char c) { return is_word(c) || c == '-'; };
  return !text.empty() && text.size() <= proto::kMaxNameBytes && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(), is_allowed);
}

void Registry::remove_tenant(const std::string& tenant) {
  tenants_.erase(tenant);
  problems_.erase(tenant);
  suspensions_.erase(tenant);
  const auto numbers = numbers_.find(tenant);
  if (numbers == numbers_.end()) return;
  for (const std::uint32_t number : numbers->second) apps_.erase(number);
  numbers_.erase(numbers);
}

void Registry::set_problem(const std::string& tenant, std::vector<std::string> sentences) {
  if (sentences.empty()) {
    problems_.erase(tenant);
  } else {
    problems_[tenant] = std::move(sentences);
  }
}

void Registry::learn_app(std::uint32_t number, const AppName& name) {
  if (number == 0 || !is_name(name.tenant) || !is_name(name.app)) return;
  const auto [known, is_new] = apps_.try_emplace(number, name);
  if (!is_new) return;
  std::set<std::uint32_t>& numbers = numbers_[name.tenant];
  numbers.insert(number);
  if (numbers.size() <= kMaxNumbersPerTenant) return;
  apps_.erase(*numbers.begin());
  numbers.erase(numbers.begin());
}

Role Registry::role_of(uid_t uid) const {
  if (admins_.contains(uid)) return Role::kAdmin;
  const auto owns = [uid](const auto& tenant) { return tenant.second == uid; };
  return std::any_of(tenants_.begin(), tenants_.end(), owns) ? Role::kTenant : Role::kNone;
}

bool Registry::may_see(uid_t uid, const std::string& tenant) const {
  const auto found = tenants_.find(tenant);
  if (role_of(uid) == Role::kAdmin) return found != tenants_.end() || problems_.contains(tenant);
  return found != tenants_.end() && found->second == uid;
}

std::vector<std::string> Registry::tenants_of(uid_t uid) const {
  std::vector<std::string> own;
  for (const auto& [tenant, owner] : tenants_) {
    if (owner == uid) own.push_back(tenant);
  }
  return own;
}

std::vector<std::string> Registry::tenants() const {
  std::vector<std::string> all;
  for (const auto& [tenant, owner] : tenants_) all.push_back(tenant);
  return all;
}

const std::string* Registry::suspension_of(const AppName& app) const {
  const auto tenant = suspensions_.find(app.tenant);
  if (tenant == suspensions_.end()) return nullptr;
  auto found = tenant->second.find("");
  if (found == tenant->second.end()) found = tenant->second.find(app.app);
  return found == tenant->second.end() ? nullptr : &found->second;
}

const AppName* Registry::find_app(std::uint32_t number) const {
  const auto found = apps_.find(number);
  return found == apps_.end() ? nullptr : &found->second;
}

std::vector<Problem> Registry::problems_for(uid_t uid, const std::string& tenant) const {
  const bool admin = admins_.contains(uid);
  std::vector<Problem> visible;
  for (const auto& [owner, sentences] : problems_) {
    const auto known = tenants_.find(owner);
    const bool own = known != tenants_.end() && known->second == uid;
    if (!(admin || own) || (!tenant.empty() && owner != tenant)) continue;
    for (const std::string& sentence : sentences) visible.push_back({owner, sentence});
  }
  return visible;
}

std::vector<Problem> Registry::problems_of(const std::string& tenant) const {
  std::vector<Problem> problems;
  const auto found = problems_.find(tenant);
  if (found == problems_.end()) return problems;
  for (const std::string& sentence : found->second) problems.push_back({tenant, sentence});
  return problems;
}

}  // namespace rowhouse::control
