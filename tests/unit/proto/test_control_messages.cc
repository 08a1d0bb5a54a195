// The codec of control messages: golden bytes of the page in both directions, and what it refuses.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "message_list.h"
#include "page.h"
#include "proto/lifeline.h"

namespace rowhouse::proto::test {
namespace {

const std::string kPage = read_source("proto/PROTOCOL.control.md");
constexpr std::uint64_t kMebibyte = 1024 * 1024;

template <ControlMessage M>
std::string encoded(const M& message) {
  std::array<std::uint8_t, wire_size<M>()> room;
  return std::string(as_text(encode_message(message, room)));
}

// The message's bytes are the page's, and the page's bytes decode to a message with the same bytes.
template <ControlMessage M>
void check_golden(const std::string& label, const M& message) {
  CAPTURE(label);
  const std::string bytes = golden(kPage, label);
  CHECK(encoded(message) == bytes);
  const Result<M> decoded = decode_message<M>(as_bytes(bytes));
  REQUIRE(decoded.ok());
  CHECK(encoded(decoded.value()) == bytes);
}

TEST_CASE("keeper and common messages have the page's bytes") {
  check_golden("ping", Ping{.nonce = 7});
  check_golden("child_exited", ChildExited{.child = 9, .code = 2, .status = 9});
  check_golden("keep", Keep{.record = {KeptKind::kLifeline, 7, 2, 1}});
  check_golden("fetched", Fetched{.serving = true, .descriptors = 12, .children = 4});
  check_golden("upgraded", Upgraded{.outcome = UpgradeOutcome::kEnded, .argument = 1});
}

TEST_CASE("loader messages have the page's bytes") {
  check_golden("load_manifest", LoadManifest{.tenant = Name::cut("acme"),
                                             .user = Name::cut("acme"),
                                             .home = Path::cut("/home/acme"),
                                             .manifest = Path::cut("rowhouse.yaml"),
                                             .default_python = Text<15>::cut("3.11")});
  check_golden("plan_record", PlanRecord{.name = Name::cut("starter"),
                                         .memory_bytes = 256 * 1024 * 1024,
                                         .cpu_percent = 50,
                                         .pids = 64,
                                         .workers = 2,
                                         .threads = 8,
                                         .concurrency = 20,
                                         .queue = 50,
                                         .cpu_weight = 200,
                                         .io_write_bytes = 10 * 1024 * 1024,
                                         .rate = 50,
                                         .connections = 500,
                                         .bytes_out = 2 * 1024 * 1024});
  check_golden("route_record", RouteRecord{Host::cut("acme.example"), Prefix::cut("/blog")});
  check_golden("loaded", Loaded{.records = 3});
  constexpr std::int64_t kAtNs = 1'790'856'000'250'000'000;
  check_golden("manifest_identity", ManifestIdentity{{1, 5, 300, kAtNs, kAtNs}});
}

TEST_CASE("jail and steward messages have the page's bytes") {
  check_golden("jail_failed", JailFailed{.step = JailStep::kCapabilities, .system_errno = 1});
  check_golden("steward_ready",
               StewardReady{static_cast<std::uint32_t>(Wall::kPrivateNetwork) |
                            static_cast<std::uint32_t>(Wall::kSwapLimit)});
  check_golden("spawn", Spawn{.worker = 1});
  check_golden("spawn_template", SpawnTemplate{.worker = 1});
  check_golden("reap", Reap{.worker = 3});
}

TEST_CASE("gateway messages have the page's bytes") {
  check_golden("app_route", AppRoute{7, Host::cut("*.acme.example"), Prefix()});
  check_golden("worker_add", WorkerAdd{.app = 7, .generation = 2, .worker = 1, .slot = 5, .threads = 4});
  check_golden("switched", Switched{.app = 7, .generation = 2});
  check_golden("worker_fault",
               WorkerFault{.app = 7, .generation = 2, .worker = 1, .kind = FaultKind::kProtocol});
}

TEST_CASE("control messages have the page's bytes") {
  check_golden("death", Death{.app = 7,
                              .generation = 2,
                              .worker = 1,
                              .cause = Cause::kSignal,
                              .argument = 9,
                              .at_ms = 1'790'856'000'250,
                              .tenant = Name::cut("acme"),
                              .name = Name::cut("site")});
  check_golden("death_oom", Death{.app = 7,
                                  .generation = 2,
                                  .worker = 1,
                                  .cause = Cause::kOom,
                                  .at_ms = 1'790'856'000'250,
                                  .limits = {LimitOwner::kApp, 128 * kMebibyte, 96 * kMebibyte, 5, 64},
                                  .process = {1234, 340, true},
                                  .tenant = Name::cut("acme"),
                                  .name = Name::cut("site")});
  check_golden("query", Query{1, Name::cut("acme"), Name::cut("site"), 0});
  check_golden("app_wanted", AppWanted{.app = 7});
  check_golden("probed", Probed{.app = 7, .probe = 9, .outcome = ProbeOutcome::kAnswered, .status = 204});
  check_golden("command", Command{.request = 2, .app = 7, .kind = CommandKind::kRestart});
  check_golden("command_done", CommandDone{.request = 2,
                                           .outcome = CommandOutcome::kFailed,
                                           .generation = 4,
                                           .worker = 3,
                                           .cause = Cause::kImport,
                                           .argument = static_cast<std::int32_t>(StartStep::kImportModule)});
}

TEST_CASE("reload and usage messages have the page's bytes") {
  check_golden("reload_change", ReloadChange{.request = 3,
                                             .plan = Name::cut("starter"),
                                             .tenant = Name::cut("acme"),
                                             .key = ConfigKey::kMemory,
                                             .effect = ReloadEffect::kNotApplied});
  check_golden("reload_done", ReloadDone{.request = 3, .outcome = CommandOutcome::kDone, .changes = 1});
  check_golden("reload_tenant_order", ReloadTenantOrder{4, Name::cut("acme"), false});
  check_golden("tenant_change",
               TenantChange{4, Name::cut("acme"), Name::cut("site"), TenantChangeKind::kAppRestarts});
  check_golden("tenant_draft_domain", TenantDraftDomain{5, Host::cut("acme.test"), true});
  check_golden("tenant_write", TenantWrite{5, 1});
  check_golden("tenant_written", TenantWritten{5, CommandOutcome::kFailed, false, TenantKey::kDomains, 0});
  check_golden("tenant_removal", TenantRemoval{6, Name::cut("acme")});
  check_golden("manifest_order", ManifestOrder{7, Name::cut("acme"), ManifestUse::kWrite});
  check_golden("suspension_record", SuspensionRecord{Name::cut("shop"), SuspensionReason::cut("unpaid")});
  check_golden("tenant_suspension", TenantSuspension{Name::cut("acme"), Name::cut("shop"), true, SuspensionReason::cut("unpaid")});
  check_golden("touch_record", TouchRecord{Path::cut("tmp/restart.txt")});
  check_golden("touched", Touched{});
  check_golden("share_record", ShareRecord{Name::cut("web")});
  check_golden("app_usage", AppUsage{.request = 1,
                                     .app = 7,
                                     .usage = {.memory_bytes = 64 * kMebibyte,
                                               .memory_peak_bytes = 100 * kMebibyte,
                                               .memory_limit_bytes = 128 * kMebibyte,
                                               .swap_bytes = 0,
                                               .oom_kills = 1,
                                               .pids = 5,
                                               .pids_limit = 32,
                                               .cpu_percent = 50,
                                               .throttled_periods = 7,
                                               .throttled_us = 250'000,
                                               .io_read_bytes = 4096,
                                               .io_write_bytes = 0,
                                               .cpu_us = 2'500'000,
                                               .epoch = 9}});
  AppTraffic traffic{.request = 1, .app = 7, .epoch = 5, .in_flight = 1, .queued = 2};
  traffic.set_count(kClassCounts + 2, 3);
  traffic.set_count(kBytesOutCount, 4096);
  CHECK(traffic.count(kBytesOutCount) == 4096);
  check_golden("app_traffic", traffic);
}

TEST_CASE("every config key and effect has a name of its own") {
  std::set<std::string_view> names;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(last_value(ConfigKey{})); ++i) {
    names.insert(config_key_name(static_cast<ConfigKey>(i)));
  }
  CHECK(names.size() == static_cast<std::size_t>(last_value(ConfigKey{})) + 1);
  CHECK(config_key_name(ConfigKey::kCpuWeight) == "cpu_weight");
  CHECK(config_key_name(ConfigKey::kPythons) == "pythons");
  CHECK(reload_effect_name(ReloadEffect::kNotApplied) == "not_applied");
}

TEST_CASE("decoded fields are the values that were meant") {
  const std::string bytes = golden(kPage, "query");
  const Result<Query> query = decode_message<Query>(as_bytes(bytes));
  REQUIRE(query.ok());
  CHECK(query.value().request == 1);
  CHECK(query.value().tenant.view() == "acme");
  CHECK(query.value().app.view() == "site");
  const std::string death = golden(kPage, "death");
  CHECK(decode_message<Death>(as_bytes(death)).value().at_ms == 1'790'856'000'250);
  CHECK(decode_message<Death>(as_bytes(death)).value().cause == Cause::kSignal);
}

TEST_CASE("every message fits the cap and survives the way through its own codec") {
  for_each_message([&]<typename M>() {
    CAPTURE(static_cast<int>(M::kType));
    CHECK(wire_size<M>() <= kMaxMessageBytes);
    const std::string bytes = encoded(M{});
    CHECK(bytes.size() == wire_size<M>());
    CHECK(decode_message<M>(as_bytes(bytes)).ok());
  });
}

TEST_CASE("a message one byte short or long is refused, whichever it is") {
  for_each_message([&]<typename M>() {
    CAPTURE(static_cast<int>(M::kType));
    const std::string bytes = encoded(M{});
    CHECK_FALSE(decode_message<M>(as_bytes(bytes.substr(0, bytes.size() - 1))).ok());
    CHECK_FALSE(decode_message<M>(as_bytes(bytes + '\0')).ok());
  });
}

TEST_CASE("another type, version or number of descriptors is refused") {
  const std::string bytes = encoded(Spawn{.worker = 1});
  CHECK(decode_message<Spawn>(as_bytes(bytes), 3).ok());
  CHECK_FALSE(decode_message<Spawn>(as_bytes(bytes), 2).ok());
  CHECK_FALSE(decode_message<Spawn>(as_bytes(bytes), 4).ok());
  std::string other_type = bytes;
  other_type[0] = 69;
  CHECK_FALSE(decode_message<Spawn>(as_bytes(other_type), 3).ok());
  std::string other_version = bytes;
  other_version[2] = 2;
  CHECK_FALSE(decode_message<Spawn>(as_bytes(other_version), 3).ok());
}

TEST_CASE("a bool other than 0 and 1 is refused") {
  std::string bytes = encoded(DomainRecord{Host::cut("a"), true});
  CHECK(decode_message<DomainRecord>(as_bytes(bytes)).ok());
  bytes.back() = 2;
  CHECK_FALSE(decode_message<DomainRecord>(as_bytes(bytes)).ok());
}

TEST_CASE("an enum beyond its last value is refused") {
  std::string bytes = encoded(Command{.request = 1, .app = 1, .kind = last_value(CommandKind{})});
  CHECK(decode_message<Command>(as_bytes(bytes)).ok());
  bytes.back() = static_cast<char>(bytes.back() + 1);
  CHECK_FALSE(decode_message<Command>(as_bytes(bytes)).ok());
}

TEST_CASE("a cause in the gap between the two groups is refused") {
  std::string bytes = encoded(Death{.cause = Cause::kKilled});
  CHECK(decode_message<Death>(as_bytes(bytes)).ok());
  bytes[kMessageHeaderBytes + 12] = 40;
  CHECK_FALSE(decode_message<Death>(as_bytes(bytes)).ok());
  bytes[kMessageHeaderBytes + 12] = 63;
  CHECK_FALSE(decode_message<Death>(as_bytes(bytes)).ok());
}

TEST_CASE("a text longer than its room, or with bytes behind its end, is refused") {
  const std::string good = encoded(TenantInfo{Name::cut("acme"), 2001});
  REQUIRE(decode_message<TenantInfo>(as_bytes(good)).ok());
  std::string too_long = good;
  too_long[kMessageHeaderBytes] = 64;
  CHECK_FALSE(decode_message<TenantInfo>(as_bytes(too_long)).ok());
  std::string dirty = good;
  dirty[kMessageHeaderBytes + 2 + 62] = 'x';
  CHECK_FALSE(decode_message<TenantInfo>(as_bytes(dirty)).ok());
}

TEST_CASE("a text of exactly its room passes, one byte more is not made") {
  const std::string name(kMaxNameBytes, 'n');
  const std::string bytes = encoded(TenantInfo{Name::cut(name), 1});
  CHECK(decode_message<TenantInfo>(as_bytes(bytes)).value().tenant.view() == name);
  CHECK_FALSE(Name::from(name + "n").has_value());
  CHECK(Name::cut(name + "n").view() == name);
}

TEST_CASE("a message with descriptors travels over a real socket") {
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  const UniqueFd& ours = pair.value().ours;
  CHECK_FALSE(send_control(ours.get(), Listener{.listener = 3}).ok());
  REQUIRE(send_control(ours.get(), Listener{.listener = 3}, {STDIN_FILENO}).ok());
  const auto incoming = wait_for_control(pair.value().theirs.get(), 1000);
  REQUIRE(incoming.ok());
  CHECK(incoming.value().type == MessageType::kListener);
  const auto listener = decode_message<Listener>(incoming.value());
  REQUIRE(listener.ok());
  CHECK(listener.value().listener == 3);
  CHECK(incoming.value().descriptors.size() == 1);
}

TEST_CASE("a packet without a whole header, or of another version, is no message") {
  auto pair = create_seqpacket_pair();
  REQUIRE(pair.ok());
  REQUIRE(send_message(pair.value().ours.get(), as_bytes("abc")).ok());
  CHECK(receive_control(pair.value().theirs.get()).error().code == ErrorCode::kInvalid);
  REQUIRE(send_message(pair.value().ours.get(), as_bytes(std::string_view("\x01\x00\x02\x00\x00\x00\x00\x00", 8))).ok());
  CHECK(receive_control(pair.value().theirs.get()).error().code == ErrorCode::kInvalid);
}

}  // namespace
}  // namespace rowhouse::proto::test
