// The supervisor's word to the keeper: children to reap, descriptors to hold for the supervisor that comes after
// this one, and what a supervisor before it has left there.
//
// What is stored must be there before what it is for happens, so a send waits for room in the socket: the keeper
// does nothing but read.  What was sent arrives even when this process dies in the next moment.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/keeper_messages.h"

namespace rowhouse::supervisor {

// A child of the keeper that an earlier supervisor has started.
struct LeftChild {
  std::uint64_t child = 0;
  pid_t pid = 0;
  UniqueFd pidfd;
};

// What an earlier supervisor has left.  Whoever takes over takes out what it knows; the rest is discarded.
struct Estate {
  bool serving = false;  // take over; else start from nothing
  std::map<proto::KeptRecord, UniqueFd> descriptors;
  std::map<proto::KeptRecord, LeftChild> children;
  std::vector<LeftChild> loaders;
  // Said before the answer was complete: to be handled as if they came now.
  std::vector<proto::IncomingMessage> messages;

  // Invalid when there is none.
  [[nodiscard]] UniqueFd take(const proto::KeptRecord& record);
  [[nodiscard]] std::optional<LeftChild> take_child(const proto::KeptRecord& record);
};

class KeeperLink {
 public:
  // `socket` stays the caller's.
  explicit KeeperLink(int socket) : socket_(socket) {}

  // REQUIRES: nothing was said before.  Waits for the answer.
  Result<Estate> fetch();

  Status announce(std::uint64_t child, pid_t pid, const proto::KeptRecord& record, int pidfd);
  Status keep(const proto::KeptRecord& record, int descriptor);
  void discard(const proto::KeptRecord& record) { tell(proto::Discard{record}); }
  template <proto::ControlMessage M>
    requires(M::kDescriptors == 0)
  void tell(const M& message) {
    std::array<std::uint8_t, proto::wire_size<M>()> room;
    [[maybe_unused]] const Status sent = send(proto::encode_message(message, room), {});
  }

  // Of the Resyncs that this supervisor sends.
  [[nodiscard]] static std::uint32_t resync_nonce() { return static_cast<std::uint32_t>(::getpid()); }

  // Numbers that no child and no start of a gateway or control had before, on this keeper.
  [[nodiscard]] std::uint64_t next_child() { return ++last_child_; }
  [[nodiscard]] std::uint32_t next_start() { return ++last_start_; }

 private:
  Status send(ByteSpan bytes, std::span<const int> descriptors);
  Status take(proto::IncomingMessage& message, Estate& estate);
  Status take_child(proto::IncomingMessage& message, Estate& estate);
  void note_numbers(const proto::KeptRecord& record);

  int socket_;
  std::uint64_t last_child_ = 1 << 20;
  std::uint32_t last_start_ = 0;
};

// A descriptor in the keeper's store, for as long as this object lives.
class Kept {
 public:
  Kept() = default;
  Kept(Kept&& other) noexcept : link_(std::exchange(other.link_, nullptr)), record_(other.record_) {}
  Kept& operator=(Kept&& other) noexcept;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() { reset(); }

  static Result<Kept> keep(KeeperLink& link, const proto::KeptRecord& record, int descriptor);
  // One that an earlier supervisor has stored.
  static Kept take_over(KeeperLink& link, const proto::KeptRecord& record) { return Kept(&link, record); }
  void reset();
  [[nodiscard]] const proto::KeptRecord& record() const { return record_; }

 private:
  Kept(KeeperLink* link, const proto::KeptRecord& record) : link_(link), record_(record) {}
  KeeperLink* link_ = nullptr;
  proto::KeptRecord record_;
};

}  // namespace rowhouse::supervisor
