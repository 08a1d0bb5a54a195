// Ids that were somebody's (THREATS X18): who may have them, and what is remembered across starts.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "supervisor/leftovers.h"
#include "supervisor/tombstones.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

using Accepted = std::map<std::string, TenantEntry>;
using Files = std::set<std::string>;

class StateDirectory {
 public:
  StateDirectory() {
    char name[] = "/tmp/rowhouse-tombstones-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~StateDirectory() { std::filesystem::remove_all(path_); }
  UniqueFd open() const { return UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
  Tombstones tombstones() const { return Tombstones::open(open()).value(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TenantEntry tenant(const std::string& name, std::uint32_t uid, std::uint32_t gid) {
  TenantEntry entry;
  entry.name = name;
  entry.uid = uid;
  entry.gid = gid;
  entry.home = "/home/" + name;
  return entry;
}

Accepted accepted(const std::vector<TenantEntry>& tenants) {
  Accepted map;
  for (const TenantEntry& entry : tenants) map[entry.name] = entry;
  return map;
}

Files files_of(const Accepted& tenants) {
  Files files;
  for (const auto& [name, entry] : tenants) files.insert(name);
  return files;
}

const FindLeftovers kNothing = [](const Trace&) { return std::vector<std::string>(); };
const FindLeftovers kProcess = [](const Trace&) { return std::vector<std::string>{"process 7"}; };

std::string refusal(const Tombstones& tombstones, const TenantEntry& entry, const Files& files,
                    const FindLeftovers& find) {
  const auto problem = tombstones.check(entry, files, find);
  return problem ? problem->sentence : "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// acme with 3000 and globex with 3001 have been accepted and written down.
Tombstones two(const StateDirectory& state) {
  Tombstones tombstones = state.tombstones();
  const Accepted tenants = accepted({tenant("acme", 3000, 3000), tenant("globex", 3001, 3001)});
  REQUIRE(tombstones.settle(tenants, files_of(tenants), kNothing).ok());
  return tombstones;
}

}  // namespace

TEST_CASE("a tenant is remembered across starts") {
  const StateDirectory state;
  CHECK_FALSE(state.tombstones().remembers(tenant("acme", 3000, 3000)));
  static_cast<void>(two(state));
  CHECK(state.tombstones().remembers(tenant("acme", 3000, 3000)));
  CHECK_FALSE(state.tombstones().remembers(tenant("acme", 3000, 3001)));
}

TEST_CASE("a tenant with its own ids is never asked for leftovers") {
  const StateDirectory state;
  const Tombstones tombstones = two(state);
  CHECK(refusal(tombstones, tenant("acme", 3000, 3000), {"acme", "globex"}, kProcess) == "");
  CHECK(refusal(tombstones, tenant("new", 3002, 3002), {"acme", "globex", "new"}, kProcess) == "");
}

TEST_CASE("an id of a removed tenant is refused to another one while anything is left, and then given") {
  const StateDirectory state;
  const Tombstones tombstones = two(state);
  for (const TenantEntry& heir : {tenant("initech", 3000, 3002), tenant("initech", 3002, 3000)}) {
    const std::string sentence = refusal(tombstones, heir, {"globex", "initech"}, kProcess);
    CHECK(has(sentence, "were those of tenant acme"));
    CHECK(has(sentence, "process 7"));
    CHECK(refusal(tombstones, heir, {"globex", "initech"}, kNothing) == "");
  }
}

TEST_CASE("an id of a tenant that has a file stays its own, also when that file is read later") {
  const StateDirectory state;
  const Tombstones tombstones = two(state);
  const Files files = {"acme", "globex"};
  CHECK(refusal(tombstones, tenant("acme", 3000, 3001), files, kNothing) ==
        "gid 3001 belongs to tenant globex; it can have one tenant only");
  CHECK(has(refusal(tombstones, tenant("aaa", 3001, 3002), {"aaa", "acme", "globex"}, kNothing),
            "uid 3001 belongs to tenant globex"));
}

TEST_CASE("the ids of a name may change only when nothing of the old ones is left") {
  const StateDirectory state;
  const Tombstones tombstones = two(state);
  const Files files = {"acme", "globex"};
  const std::string sentence = refusal(tombstones, tenant("acme", 4000, 4000), files, kProcess);
  CHECK(has(sentence, "the tenant had uid 3000 and gid 3000 before, not uid 4000 and gid 4000"));
  CHECK(refusal(tombstones, tenant("acme", 4000, 4000), files, kNothing) == "");
  // A new group only: what the uid has is still the tenant's.
  const FindLeftovers of_uid = [](const Trace& trace) {
    return trace.uid ? std::vector<std::string>{"process 7"} : std::vector<std::string>();
  };
  CHECK(refusal(tombstones, tenant("acme", 3000, 4000), files, of_uid) == "");
}

TEST_CASE("a removed tenant is forgotten only when nothing of it is left") {
  const StateDirectory state;
  Tombstones tombstones = two(state);
  const Accepted globex = accepted({tenant("globex", 3001, 3001)});
  REQUIRE(tombstones.settle(globex, files_of(globex), kProcess).ok());
  CHECK(state.tombstones().remembers(tenant("acme", 3000, 3000)));
  REQUIRE(tombstones.settle(globex, files_of(globex), kNothing).ok());
  CHECK_FALSE(state.tombstones().remembers(tenant("acme", 3000, 3000)));
  CHECK(state.tombstones().remembers(tenant("globex", 3001, 3001)));
}

TEST_CASE("a tenant whose file is refused keeps its ids, whatever is left") {
  const StateDirectory state;
  Tombstones tombstones = two(state);
  const Accepted globex = accepted({tenant("globex", 3001, 3001)});
  REQUIRE(tombstones.settle(globex, {"acme", "globex"}, kNothing).ok());
  CHECK(state.tombstones().remembers(tenant("acme", 3000, 3000)));
}

TEST_CASE("an id that was given on belongs to the new tenant alone") {
  const StateDirectory state;
  Tombstones tombstones = two(state);
  const Accepted heirs = accepted({tenant("globex", 3001, 3001), tenant("initech", 3000, 3000)});
  REQUIRE(tombstones.settle(heirs, files_of(heirs), kNothing).ok());
  CHECK(state.tombstones().all().size() == 2);
  CHECK(has(refusal(tombstones, tenant("acme", 3000, 3000), {"acme", "globex", "initech"}, kNothing),
            "belongs to tenant initech"));
}

TEST_CASE("what cannot be written down is not remembered") {
  const StateDirectory state;
  Tombstones tombstones = state.tombstones();
  std::filesystem::create_directory(state.path() + "/tenants");  // a rename onto it fails
  const Accepted tenants = accepted({tenant("acme", 3000, 3000)});
  CHECK_FALSE(tombstones.settle(tenants, files_of(tenants), kNothing).ok());
  CHECK_FALSE(tombstones.remembers(tenant("acme", 3000, 3000)));
}

TEST_CASE("a list that cannot be right is an error and not an empty list") {
  const StateDirectory state;
  const UniqueFd directory = state.open();
  REQUIRE(replace_file(directory.get(), "tenants", "RHTENT1\nrubbish", 0600).ok());
  CHECK_FALSE(Tombstones::open(state.open()).ok());
}

TEST_CASE("every cut of a stored list is refused or loses whole tenants only") {
  const FormerTenants tenants = {{"acme", {3000, 3000, "/home/acme"}},
                                 {"globex", {3001, 3001, "/srv/globex"}}};
  const std::string whole = encode_former_tenants(tenants);
  CHECK(parse_former_tenants(as_bytes(whole)).value() == tenants);
  std::size_t accepted_cuts = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = parse_former_tenants(as_bytes(std::string_view(whole).substr(0, size)));
    if (cut.ok()) ++accepted_cuts;
  }
  CHECK(accepted_cuts == 2);  // without any, and with the first
}

TEST_CASE("a long list of leftovers is cut") {
  const StateDirectory state;
  const FindLeftovers many = [](const Trace&) { return std::vector<std::string>(100, "process 1"); };
  CHECK(has(refusal(two(state), tenant("initech", 3000, 3000), {"initech"}, many), " and 92 more"));
}

TEST_CASE("the ids of a process are its four uids, its four gids and its groups") {
  const ProcessIds ids = parse_process_ids(
      "Name:\tUid: 5\\nx\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\nGroups:\t9 10 "
      "\nNSpid:\t1\n");
  CHECK(ids.uids == std::vector<std::uint32_t>{1, 2, 3, 4});
  CHECK(ids.gids == std::vector<std::uint32_t>{5, 6, 7, 8, 9, 10});
}

TEST_CASE("a System V object has its owner's and its creator's ids") {
  const auto objects = parse_ipc_table(
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
      "atime\n"
      "      4660         32  1666                  4096   111   112      0  3000  3001  3002  3003          "
      "0\n");
  REQUIRE(objects.size() == 1);
  CHECK(objects[0].id == 32);
  CHECK(objects[0].uids == std::vector<std::uint32_t>{3000, 3002});
  CHECK(objects[0].gids == std::vector<std::uint32_t>{3001, 3003});
  CHECK(parse_ipc_table("").empty());
}

TEST_CASE("this very process and a file of ours in /tmp are found") {
  constexpr std::uint32_t kUid = 61099;  // nobody's
  const std::string file = "/tmp/rowhouse-leftover-" + std::to_string(::getpid());
  const UniqueFd made(::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  REQUIRE(made.valid());
  REQUIRE(::fchown(made.get(), kUid, kUid) == 0);
  Leftovers leftovers(nullptr);
  const auto left = leftovers.find({kUid, kUid, "nobody", "/nonexistent"});
  ::unlink(file.c_str());
  CHECK(left == std::vector<std::string>{file});
  const auto ours = leftovers.find({::getuid(), std::nullopt, "nobody", "/nonexistent"});
  CHECK(std::find(ours.begin(), ours.end(), "process " + std::to_string(::getpid())) != ours.end());
}
