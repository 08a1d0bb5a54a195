#include "control/operations.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace rowhouse::control {

bool Operations::has_room(uid_t uid) const {
  const auto runs = std::count_if(operations_.begin(), operations_.end(), [uid](const auto& entry) {
    return entry.second.uid == uid && !entry.second.answer;
  });
  return static_cast<std::size_t>(runs) < kMaxRunningPerUid;
}

Operations::Key Operations::begin(uid_t uid, std::string method, std::string path) {
  const Key key = next_key_++;
  std::array<char, 40> id{};
  std::snprintf(id.data(), id.size(), "%016llx-%llu", static_cast<unsigned long long>(seed_),
                static_cast<unsigned long long>(key - kFirstKey + 1));
  Operation operation;
  operation.id = id.data();
  operation.uid = uid;
  operation.method = std::move(method);
  operation.path = std::move(path);
  operation.begun_ms = clock_.wall_ms();
  operations_.emplace(key, std::move(operation));
  if (operations_.size() > kMaxKept) {
    const auto ended = std::find_if(operations_.begin(), operations_.end(),
                                    [](const auto& entry) { return entry.second.answer.has_value(); });
    if (ended != operations_.end()) operations_.erase(ended);
  }
  return key;
}

void Operations::finish(Key key, Answer answer) {
  const auto found = operations_.find(key);
  if (found == operations_.end() || found->second.answer) return;
  found->second.answer = std::move(answer);
  found->second.ended_ms = clock_.wall_ms();
  std::vector<std::uint64_t> told;
  for (const auto& [connection, id] : waiting_) {
    if (id == found->second.id) told.push_back(connection);
  }
  for (const std::uint64_t connection : told) {
    waiting_.erase(connection);
    if (on_end_) on_end_(connection, found->second);
  }
}

std::optional<Answer> Operations::take(Key key) {
  const auto found = operations_.find(key);
  if (found == operations_.end() || !found->second.answer) return std::nullopt;
  std::optional<Answer> answer = std::move(found->second.answer);
  operations_.erase(found);
  return answer;
}

const Operation* Operations::find(Key key) const {
  const auto found = operations_.find(key);
  return found == operations_.end() ? nullptr : &found->second;
}

const Operation* Operations::find(const std::string& id) const {
  const auto found = std::find_if(operations_.begin(), operations_.end(),
                                  [&id](const auto& entry) { return entry.second.id == id; });
  return found == operations_.end() ? nullptr : &found->second;
}

}  // namespace rowhouse::control
