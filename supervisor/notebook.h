// The supervisor's notes: what it knows of apps, sandboxes and workers that nobody else could tell a supervisor
// after it.  A memory file in the keeper's store, mapped by the supervisor alone, written as things happen.
//
// A note is two copies and a word that says which one is valid, so that whoever dies while writing one leaves the
// other.  Notes grow at their end only and a row's size never changes, so that programs of different builds can
// read each other's: what a former build has not written is zero.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/limits.h"
#include "supervisor/notes.h"

namespace rowhouse::supervisor {

// Which kind of notes a table has: its place in the file, and how many rows.
template <typename Note>
struct NoteLayout;
template <>
struct NoteLayout<AppNote> {
  static constexpr std::size_t kTable = 0, kRows = proto::kMaxApps, kCopyBytes = 512;
};
template <>
struct NoteLayout<SandboxNote> {
  static constexpr std::size_t kTable = 1, kRows = 2 * proto::kMaxApps, kCopyBytes = 128;
};
template <>
struct NoteLayout<WorkerNote> {
  static constexpr std::size_t kTable = 2, kRows = proto::kMaxWorkers, kCopyBytes = 128;
};

template <>
struct NoteLayout<HostNote> {
  static constexpr std::size_t kTable = 3, kRows = 1, kCopyBytes = 1024;
};

class Notebook;

// One row, from its taking to the destruction of this object.
template <typename Note>
class NoteRow {
 public:
  NoteRow() = default;
  NoteRow(NoteRow&& other) noexcept : book_(std::exchange(other.book_, nullptr)), row_(other.row_) {}
  NoteRow& operator=(NoteRow&& other) noexcept {
    std::swap(book_, other.book_);
    std::swap(row_, other.row_);
    return *this;
  }
  NoteRow(const NoteRow&) = delete;
  NoteRow& operator=(const NoteRow&) = delete;
  ~NoteRow();
  // Nothing without a row.
  void write(const Note& note);

 private:
  friend class Notebook;
  NoteRow(Notebook* book, std::uint32_t row) : book_(book), row_(row) {}
  Notebook* book_ = nullptr;
  std::uint32_t row_ = 0;
};

class Notebook {
 public:
  static Result<std::unique_ptr<Notebook>> create();
  // kInvalid for a file that no build of ours has written.
  static Result<std::unique_ptr<Notebook>> adopt(UniqueFd memory);
  ~Notebook();
  Notebook(const Notebook&) = delete;
  Notebook& operator=(const Notebook&) = delete;

  [[nodiscard]] int memory() const { return memory_.get(); }
  // An empty row, not valid before its first write; kTooLarge when none is left.
  template <typename Note>
  Result<NoteRow<Note>> take();
  // The notes that an earlier supervisor has left, each with its row.
  template <typename Note>
  std::vector<std::pair<Note, NoteRow<Note>>> read_all();

 private:
  template <typename Note>
  friend class NoteRow;
  struct Header;
  struct Table {
    std::vector<std::uint32_t> free;
  };

  Notebook(UniqueFd memory, std::uint8_t* mapped) : memory_(std::move(memory)), mapped_(mapped) {}
  static Result<std::unique_ptr<Notebook>> map(UniqueFd memory);
  [[nodiscard]] Header& header() const;
  template <typename Note>
  [[nodiscard]] std::uint8_t* row(std::uint32_t index) const;
  Result<std::uint32_t> take_row(std::size_t table, std::size_t rows);

  UniqueFd memory_;
  std::uint8_t* mapped_;
  Table tables_[4];
};

}  // namespace rowhouse::supervisor
