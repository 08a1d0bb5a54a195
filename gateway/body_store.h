// A body as far as it must be kept: a request's before a worker is occupied with it, and until it is sure that no other
// worker needs it; an answer's until a slow client has taken it.  In memory at first; beyond that in a file without a
// name in the spool directory, which only the pool's threads touch (file_jobs.h), so that no disk holds the loop up.
//
//   | in the file | being written | in memory |      file_bytes_, writing_bytes_, memory_
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/unique_fd.h"
#include "gateway/file_jobs.h"

namespace rowhouse::gateway {

struct Workbench;

// What the bodies of each tenant (uid) take up in this gateway.
class BodyBudgets {
 public:
  struct Use {
    std::uint64_t memory = 0;
    std::uint64_t disk = 0;
  };
  [[nodiscard]] Use of(std::uint32_t tenant) const;
  // REQUIRES: what is taken away was added before.
  void change(std::uint32_t tenant, std::int64_t memory, std::int64_t disk);

 private:
  std::unordered_map<std::uint32_t, Use> uses_;  // without those that use nothing
};

class BodyStore final : private FileJobListener {
 public:
  // `on_progress`: a job of the disk is done; there may be room, or bytes at the offset that was asked for.
  // `memory_bytes`: from here on it goes to the file.
  BodyStore(Workbench& bench, std::function<void()> on_progress, std::size_t memory_bytes);
  ~BodyStore() override;
  BodyStore(const BodyStore&) = delete;
  BodyStore& operator=(const BodyStore&) = delete;

  // Whom the next body belongs to.  REQUIRES: it is empty.
  void set_tenant(std::uint32_t tenant) { tenant_ = tenant; }
  // Empty again; gives back memory beyond what an idle connection may keep.
  void clear();

  [[nodiscard]] std::uint64_t size() const { return file_bytes_ + writing_bytes_ + memory_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // Of size(): not (yet) in the file.
  [[nodiscard]] std::uint64_t memory_bytes() const { return writing_bytes_ + memory_.size(); }
  // In memory, whatever the caps: the caller has one of its own.
  void append_to_memory(std::string_view bytes);

  // How much append() takes now; 0 while the disk is busy, and for good when is_full().
  [[nodiscard]] std::size_t room() const;
  // A cap is reached, or the disk refuses: no more can be kept, what is there can be read.
  [[nodiscard]] bool is_full() const { return full_; }
  // REQUIRES: bytes.size() <= room(), or the caller has another bound for what is in memory.
  void append(std::string_view bytes);
  // No more comes: where the tenant's memory is scarce the rest goes to the file, too.
  void finish();

  // What follows `offset`, up to what is at hand; empty at the end, and when it is being fetched: on_progress comes.
  // Valid until the next call.
  [[nodiscard]] std::string_view at(std::uint64_t offset);
  // The disk does not give back what it was given.
  [[nodiscard]] bool is_broken() const { return broken_; }

 private:
  void on_file_job(FileJob job) override;
  void on_written(FileJob job);
  void on_fetched(FileJob job);
  void write_memory();
  [[nodiscard]] bool is_memory_scarce() const;
  [[nodiscard]] bool must_write() const;
  void fetch(std::uint64_t offset);

  Workbench& bench_;
  std::function<void()> on_progress_;
  const std::size_t memory_limit_;
  std::uint32_t tenant_ = 0;
  std::string memory_;
  UniqueFd file_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t writing_bytes_ = 0;
  std::string fetched_;
  std::uint64_t fetched_at_ = 0;
  bool busy_ = false;  // a job has the file
  bool read_wanted_ = false;  // at() was asked for what is in the file while it was busy: reading comes next
  bool full_ = false;
  bool broken_ = false;
};

}  // namespace rowhouse::gateway
