// The deaths that rowhouse-control has not yet said are on its disk.  Each is sent at once and again to every fresh
// control process.  Pure: what is to be sent goes through a callback.
#pragma once

#include <deque>
#include <functional>
#include <variant>

#include "proto/control_messages.h"

namespace rowhouse::supervisor {

class DeathLedger {
 public:
  using Entry = std::variant<proto::Death, proto::HostDeath>;
  // Control may be away or its disk full for a long time: beyond this the oldest are given up.
  static constexpr std::size_t kMaxEntries = 4096;

  explicit DeathLedger(std::function<void(const Entry&)> send) : send_(std::move(send)) {}

  void add(const Entry& entry);
  // Control has started anew: everything again, in order.
  void repeat() const;
  // Forgets the entry; nothing happens when there is none.
  void on_stored(const proto::DeathStored& stored);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  std::function<void(const Entry&)> send_;
  std::deque<Entry> entries_;
};

}  // namespace rowhouse::supervisor
