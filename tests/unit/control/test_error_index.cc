// Error ids: found again, also by the next process, and never in another tenant's name.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>

#include "control/error_index.h"

using namespace rowhouse;
using namespace rowhouse::control;

namespace {

struct Fixture {
  Fixture() {
    char room[] = "/tmp/rowhouse-errors-XXXXXX";
    path = ::mkdtemp(room);
    reopen();
  }
  ~Fixture() { std::filesystem::remove_all(path); }
  void reopen() {
    directory = std::make_unique<LogDirectory>(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    errors = std::make_unique<ErrorIndex>(loop.get());
    errors->open(*directory);
  }
  void add(const AppName& app, std::uint64_t id) {
    proto::AccessRecord record;
    record.error_id = id;
    record.status = 502;
    record.cause = proto::Cause::kWorkerGone;
    record.method = "GET";
    record.target = "/pay?card=1";
    record.host = "acme.example";
    record.request_id = "r1";
    errors->add(app, record);
  }
  std::string path;
  Loop loop;
  std::unique_ptr<LogDirectory> directory;
  std::unique_ptr<ErrorIndex> errors;
};

}  // namespace

TEST_CASE("an error is found by its id, without the query of its request") {
  Fixture f;
  f.add({"acme", "site"}, 0xabc);
  const FoundError found = f.errors->find("0000000000000abc", {"acme"});
  CHECK(found.app == AppName{"acme", "site"});
  CHECK(number_of(found.json, "status") == 502);
  CHECK(text_of(found.json, "code") == "RH-WORKER-GONE");
  CHECK(text_of(found.json["request"], "path") == "/pay");
  CHECK(f.errors->find("0000000000000abd", {"acme"}).json.is_null());
}

TEST_CASE("an error is not found among another tenant's") {
  Fixture f;
  f.add({"acme", "site"}, 1);
  f.add({}, 2);
  CHECK(f.errors->find("0000000000000001", {"globex", ""}).json.is_null());
  CHECK(f.errors->find("0000000000000002", {"acme"}).json.is_null());
  CHECK_FALSE(f.errors->find("0000000000000002", {"acme", ""}).json.is_null());
  f.errors->write_all_now();
  f.reopen();
  CHECK(f.errors->find("0000000000000001", {"globex"}).json.is_null());
}

TEST_CASE("the next process finds it too, and neither memory nor file grows without bound") {
  Fixture f;
  for (std::uint64_t id = 1; id <= 20'000; ++id) {
    f.add({"acme", "site"}, id);
    if (id % 200 == 0) f.errors->write_all_now();
  }
  f.reopen();
  CHECK_FALSE(f.errors->find(error_id_text(20'000), {"acme"}).json.is_null());
  CHECK(f.errors->find(error_id_text(1), {"acme"}).json.is_null());
  CHECK(std::filesystem::file_size(f.path + "/_history/acme/_errors.jsonl") < 2 * ErrorIndex::kMaxFileBytes);
}

TEST_CASE("an id is 16 lower-case hex digits") {
  CHECK(is_error_id("0123456789abcdef"));
  CHECK_FALSE(is_error_id("0123456789abcde"));
  CHECK_FALSE(is_error_id("0123456789ABCDEF"));
  CHECK_FALSE(is_error_id("0123456789abcde/"));
}
