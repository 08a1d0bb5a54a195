// The supervisor's notes across supervisors: what was written is read, what was given up is not, and a note that was
// being written when its writer died is the one before it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "supervisor/notebook.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

UniqueFd copy_of(const Notebook& book) {
  return UniqueFd(::fcntl(book.memory(), F_DUPFD_CLOEXEC, 3));
}

WorkerNote worker_note(std::uint32_t worker) {
  WorkerNote note;
  note.app = 7;
  note.generation = 2;
  note.worker = worker;
  return note;
}

TEST_CASE("what was written is read by the next supervisor") {
  auto book = Notebook::create().value();
  auto app = book->take<AppNote>().value();
  AppNote note;
  note.number = 7;
  note.serving = 2;
  app.write(note);
  note.serving = 3;
  app.write(note);
  auto first = book->take<WorkerNote>().value();
  first.write(worker_note(1));

  const auto next = Notebook::adopt(copy_of(*book)).value();
  const auto apps = next->read_all<AppNote>();
  REQUIRE(apps.size() == 1);
  CHECK(apps[0].first.number == 7);
  CHECK(apps[0].first.serving == 3);
  const auto workers = next->read_all<WorkerNote>();
  REQUIRE(workers.size() == 1);
  CHECK(workers[0].first.worker == 1);
  CHECK(next->read_all<SandboxNote>().empty());
}

TEST_CASE("a row that was taken and never written, and one that was given up, hold no note") {
  auto book = Notebook::create().value();
  const auto unwritten = book->take<WorkerNote>().value();
  {
    auto gone = book->take<WorkerNote>().value();
    gone.write(worker_note(1));
  }
  auto kept = book->take<WorkerNote>().value();
  kept.write(worker_note(2));
  const auto next = Notebook::adopt(copy_of(*book)).value();
  const auto workers = next->read_all<WorkerNote>();
  REQUIRE(workers.size() == 1);
  CHECK(workers[0].first.worker == 2);
}

TEST_CASE("rows that the former supervisor did not use are given out, the others are not") {
  auto book = Notebook::create().value();
  auto kept = book->take<WorkerNote>().value();
  kept.write(worker_note(1));
  { const auto free = book->take<WorkerNote>().value(); }
  auto next = Notebook::adopt(copy_of(*book)).value();
  const auto left = next->read_all<WorkerNote>();
  auto fresh = next->take<WorkerNote>().value();
  fresh.write(worker_note(3));
  const auto third = Notebook::adopt(copy_of(*next)).value();
  CHECK(third->read_all<WorkerNote>().size() == 2);
}

TEST_CASE("a note whose writer died in the middle is the one before it") {
  auto book = Notebook::create().value();
  auto row = book->take<WorkerNote>().value();
  row.write(worker_note(1));
  // The next note goes to the other copy: whatever a dying writer leaves there, the word still names this one.
  const auto size = static_cast<std::size_t>(::lseek(book->memory(), 0, SEEK_END));
  auto* mapped = static_cast<std::uint8_t*>(
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, book->memory(), 0));
  REQUIRE(mapped != MAP_FAILED);
  WorkerNote valid = worker_note(1);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&valid);
  const auto copy = std::search(mapped, mapped + size, bytes, bytes + offsetof(WorkerNote, failed_step));
  REQUIRE(copy != mapped + size);
  std::fill_n(copy + NoteLayout<WorkerNote>::kCopyBytes, sizeof valid, 0xee);
  ::munmap(mapped, size);
  const auto next = Notebook::adopt(copy_of(*book)).value();
  const auto rows = next->read_all<WorkerNote>();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].first.worker == 1);
}

TEST_CASE("a file that is no notebook is refused") {
  const auto refused = [](std::size_t bytes) {
    UniqueFd memory(::memfd_create("other", MFD_CLOEXEC));
    REQUIRE(::ftruncate(memory.get(), static_cast<off_t>(bytes)) == 0);
    return !Notebook::adopt(std::move(memory)).ok();
  };
  CHECK(refused(0));
  CHECK(refused(4096));
  auto book = Notebook::create().value();
  const auto size = ::lseek(book->memory(), 0, SEEK_END);
  CHECK(refused(static_cast<std::size_t>(size)));  // the right size, but nothing in it
}

}  // namespace
