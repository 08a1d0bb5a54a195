#include "supervisor/notebook.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

constexpr std::uint64_t kMagic = 0x3153'4554'4f4e'4852;  // "RHNOTES1"
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kWordBytes = 8;  // before the copies: 0 no note, 1 the first copy is valid, 2 the second

template <typename Note>
constexpr std::size_t row_bytes() {
  static_assert(sizeof(Note) <= NoteLayout<Note>::kCopyBytes);
  return kWordBytes + 2 * NoteLayout<Note>::kCopyBytes;
}
template <typename Note>
constexpr std::size_t table_bytes() {
  return row_bytes<Note>() * NoteLayout<Note>::kRows;
}

constexpr std::size_t kFileBytes =
    kHeaderBytes + table_bytes<AppNote>() + table_bytes<SandboxNote>() + table_bytes<WorkerNote>() +
    table_bytes<HostNote>();

template <typename Note>
constexpr std::size_t table_offset() {
  std::size_t offset = kHeaderBytes;
  if (NoteLayout<Note>::kTable > 0) offset += table_bytes<AppNote>();
  if (NoteLayout<Note>::kTable > 1) offset += table_bytes<SandboxNote>();
  if (NoteLayout<Note>::kTable > 2) offset += table_bytes<WorkerNote>();
  return offset;
}

// Another process reads it, after this one: the order of the stores is all that counts.
std::atomic_ref<std::uint64_t> word_of(std::uint8_t* row) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(row));
}

template <typename Note>
std::uint8_t* copy_of(std::uint8_t* row, std::uint64_t copy) {
  return row + kWordBytes + (copy - 1) * NoteLayout<Note>::kCopyBytes;
}

}  // namespace

struct Notebook::Header {
  std::uint64_t magic;
  std::uint64_t file_bytes;
  std::uint32_t used[4];  // rows of each table that were ever used: what lies beyond is untouched memory
};

Notebook::Header& Notebook::header() const {
  return *reinterpret_cast<Header*>(mapped_);
}

template <typename Note>
std::uint8_t* Notebook::row(std::uint32_t index) const {
  return mapped_ + table_offset<Note>() + index * row_bytes<Note>();
}

Result<std::unique_ptr<Notebook>> Notebook::map(UniqueFd memory) {
  void* mapped = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (mapped == MAP_FAILED) return system_error("mmap notebook");
  return std::unique_ptr<Notebook>(new Notebook(std::move(memory), static_cast<std::uint8_t*>(mapped)));
}

Result<std::unique_ptr<Notebook>> Notebook::create() {
  UniqueFd memory(::memfd_create("rowhouse-notebook", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid()) return system_error("memfd_create");
  if (::ftruncate(memory.get(), kFileBytes) != 0) return system_error("ftruncate");
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return system_error("fcntl F_ADD_SEALS");
  }
  RH_ASSIGN(std::unique_ptr<Notebook> book, map(std::move(memory)));
  book->header().file_bytes = kFileBytes;
  book->header().magic = kMagic;
  return book;
}

Result<std::unique_ptr<Notebook>> Notebook::adopt(UniqueFd memory) {
  struct stat status {};
  if (::fstat(memory.get(), &status) != 0) return system_error("fstat notebook");
  if (static_cast<std::size_t>(status.st_size) != kFileBytes) return make_error(ErrorCode::kInvalid, "notebook");
  RH_ASSIGN(std::unique_ptr<Notebook> book, map(std::move(memory)));
  const Header& header = book->header();
  const bool valid = header.magic == kMagic && header.file_bytes == kFileBytes &&
                     header.used[0] <= NoteLayout<AppNote>::kRows &&
                     header.used[1] <= NoteLayout<SandboxNote>::kRows &&
                     header.used[2] <= NoteLayout<WorkerNote>::kRows &&
                     header.used[3] <= NoteLayout<HostNote>::kRows;
  if (!valid) return make_error(ErrorCode::kInvalid, "notebook");
  return book;
}

Notebook::~Notebook() {
  ::munmap(mapped_, kFileBytes);
}

Result<std::uint32_t> Notebook::take_row(std::size_t table, std::size_t rows) {
  std::vector<std::uint32_t>& free = tables_[table].free;
  if (!free.empty()) {
    const std::uint32_t row = free.back();
    free.pop_back();
    return row;
  }
  std::uint32_t& used = header().used[table];
  if (used >= rows) return make_error(ErrorCode::kTooLarge, "notebook");
  return used++;
}

template <typename Note>
Result<NoteRow<Note>> Notebook::take() {
  RH_ASSIGN(const std::uint32_t index, take_row(NoteLayout<Note>::kTable, NoteLayout<Note>::kRows));
  return NoteRow<Note>(this, index);
}

template <typename Note>
std::vector<std::pair<Note, NoteRow<Note>>> Notebook::read_all() {
  std::vector<std::pair<Note, NoteRow<Note>>> notes;
  for (std::uint32_t index = 0; index < header().used[NoteLayout<Note>::kTable]; ++index) {
    const std::uint64_t copy = word_of(row<Note>(index)).load(std::memory_order_acquire);
    if (copy != 1 && copy != 2) {
      tables_[NoteLayout<Note>::kTable].free.push_back(index);
      continue;
    }
    Note note;
    std::memcpy(static_cast<void*>(&note), copy_of<Note>(row<Note>(index), copy), sizeof note);
    notes.emplace_back(note, NoteRow<Note>(this, index));
  }
  return notes;
}

template <typename Note>
void NoteRow<Note>::write(const Note& note) {
  if (book_ == nullptr) return;
  std::uint8_t* row = book_->template row<Note>(row_);
  const std::uint64_t other = word_of(row).load(std::memory_order_relaxed) == 1 ? 2 : 1;
  std::memcpy(copy_of<Note>(row, other), &note, sizeof note);
  word_of(row).store(other, std::memory_order_release);
}

template <typename Note>
NoteRow<Note>::~NoteRow() {
  if (book_ == nullptr) return;
  std::uint8_t* row = book_->template row<Note>(row_);
  word_of(row).store(0, std::memory_order_release);
  std::memset(row + kWordBytes, 0, 2 * NoteLayout<Note>::kCopyBytes);
  book_->tables_[NoteLayout<Note>::kTable].free.push_back(row_);
}

template class NoteRow<AppNote>;
template class NoteRow<SandboxNote>;
template class NoteRow<WorkerNote>;
template class NoteRow<HostNote>;
template Result<NoteRow<AppNote>> Notebook::take();
template Result<NoteRow<SandboxNote>> Notebook::take();
template Result<NoteRow<WorkerNote>> Notebook::take();
template Result<NoteRow<HostNote>> Notebook::take();
template std::vector<std::pair<AppNote, NoteRow<AppNote>>> Notebook::read_all();
template std::vector<std::pair<SandboxNote, NoteRow<SandboxNote>>> Notebook::read_all();
template std::vector<std::pair<WorkerNote, NoteRow<WorkerNote>>> Notebook::read_all();
template std::vector<std::pair<HostNote, NoteRow<HostNote>>> Notebook::read_all();

}  // namespace rowhouse::supervisor
