// The two blocks that root passes on unread: worker part and access record.
#include <doctest/doctest.h>

#include "page.h"
#include "proto/access_record.h"
#include "proto/gateway_part.h"
#include "proto/running_record.h"
#include "proto/worker_part.h"

namespace rowhouse::proto::test {
namespace {

const std::string kPage = read_source("proto/PROTOCOL.control.md");

WorkerPart page_part() {
  WorkerPart part;
  part.threads = 4;
  part.tenant = "acme";
  part.app = "blog";
  part.module = "blog.wsgi";
  part.attribute = "application";
  part.home = "/home/acme";
  part.directory = "/home/acme/blog";
  part.python = "3.11";
  part.environment = {{"A", "b"}};
  return part;
}

TEST_CASE("the worker part has the page's bytes and parses back") {
  const std::string bytes = golden(kPage, "worker_part");
  CHECK(encode_worker_part(page_part()).value() == bytes);
  const auto part = parse_worker_part(as_bytes(bytes));
  REQUIRE(part.ok());
  CHECK(part.value().threads == 4);
  CHECK(part.value().kind == CallableKind::kModule);
  CHECK(part.value().module == "blog.wsgi");
  CHECK(part.value().directory == "/home/acme/blog");
  CHECK(part.value().virtualenv.empty());
  CHECK(part.value().environment == page_part().environment);
}

WorkerPart page_share() {
  WorkerPart part = page_part();
  WorkerPart other = page_part();
  other.threads = 1;
  other.interface = Interface::kAsgi;
  other.app = other.module = "shop";
  other.directory = "/home/acme/shop";
  other.environment.clear();
  other.gil = GilOwner::kInterpreter;
  part.others.push_back(other);
  return part;
}

TEST_CASE("the worker part of a share has the page's bytes and parses back") {
  const std::string bytes = golden(kPage, "worker_part_of_share");
  CHECK(encode_worker_part(page_share()).value() == bytes);
  const auto part = parse_worker_part(as_bytes(bytes));
  REQUIRE(part.ok());
  CHECK(part.value().app == "blog");
  CHECK(part.value().gil == GilOwner::kProcess);
  REQUIRE(part.value().others.size() == 1);
  CHECK(part.value().others[0].app == "shop");
  CHECK(part.value().others[0].interface == Interface::kAsgi);
  CHECK(part.value().others[0].gil == GilOwner::kInterpreter);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const bool whole = size == golden(kPage, "worker_part").size();  // the first app alone
    CHECK(parse_worker_part(as_bytes(bytes).first(size)).ok() == whole);
  }
}

TEST_CASE("a share in a share, an empty one and one that is too large are refused") {
  const std::string inner = golden(kPage, "worker_part_of_share");
  std::string nested = golden(kPage, "worker_part") + std::string("\1\0", 2);
  const auto size = static_cast<std::uint32_t>(inner.size());
  for (unsigned shift = 0; shift < 32; shift += 8) nested += static_cast<char>(size >> shift);
  CHECK_FALSE(parse_worker_part(as_bytes(nested + inner)).ok());
  CHECK_FALSE(parse_worker_part(as_bytes(golden(kPage, "worker_part") + std::string(2, '\0'))).ok());
  WorkerPart part = page_part();
  part.others.assign(kMaxAppsPerShare, page_part());
  CHECK_FALSE(encode_worker_part(part).ok());
}

TEST_CASE("every truncation of a worker part is refused") {
  const std::string bytes = golden(kPage, "worker_part");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(parse_worker_part(as_bytes(bytes).first(size)).ok());
  }
  CHECK_FALSE(parse_worker_part(as_bytes(bytes + '\0')).ok());
}

TEST_CASE("a worker part with a NUL byte is neither made nor taken") {
  WorkerPart part = page_part();
  part.module = std::string("a\0b", 3);
  CHECK_FALSE(encode_worker_part(part).ok());
  std::string bytes = golden(kPage, "worker_part");
  bytes[bytes.find("blog.wsgi")] = '\0';
  CHECK_FALSE(parse_worker_part(as_bytes(bytes)).ok());
}

TEST_CASE("no threads, too many threads, an unknown kind or version are refused") {
  const std::string good = golden(kPage, "worker_part");
  for (const auto& [position, value] : {std::pair{0, 2}, {2, 0}, {3, 2}, {4, 6}, {4, 32}}) {
    std::string bytes = good;
    bytes[static_cast<std::size_t>(position)] = static_cast<char>(value);
    CAPTURE(position);
    CHECK_FALSE(parse_worker_part(as_bytes(bytes)).ok());
  }
}

TEST_CASE("a worker part over its cap is not made") {
  WorkerPart part = page_part();
  part.environment.assign(5, {"A", std::string(60'000, 'x')});
  CHECK_FALSE(encode_worker_part(part).ok());
  part.environment.assign(1, {"A", std::string(65'536, 'x')});
  CHECK_FALSE(encode_worker_part(part).ok());
}

GatewayPart page_gateway_part() {
  GatewayPart part;
  part.statics = {{"/static/", "max-age=60", "index.html", true}};
  part.redirects = {{1, 301, "/new", false}};
  part.pages = {{500, 599, "oh"}};
  part.compress = {true, false, 1024, {"text/html"}};
  part.buffer_responses = false;
  part.json_access_log = true;
  return part;
}

TEST_CASE("the gateway part has the page's bytes and parses back") {
  const std::string bytes = golden(kPage, "gateway_part");
  CHECK(encode_gateway_part(page_gateway_part()).value() == bytes);
  const auto parsed = parse_gateway_part(as_bytes(bytes));
  REQUIRE(parsed.ok());
  const GatewayPart& part = parsed.value();
  CHECK(part.buffering);
  CHECK_FALSE(part.buffer_responses);
  CHECK(part.json_access_log);
  CHECK(part.statics.at(0).index == "index.html");
  CHECK(part.statics.at(0).fallback);
  CHECK(part.redirects.at(0).target == "/new");
  CHECK_FALSE(part.redirects.at(0).keep_path);
  CHECK(part.pages.at(0).html == "oh");
  CHECK(part.compress.types == std::vector<std::string>{"text/html"});
  CHECK(encode_gateway_part(part).value() == bytes);
}

TEST_CASE("every truncation of a gateway part, a wrong flag, too many items or another version are refused") {
  const std::string good = golden(kPage, "gateway_part");
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse_gateway_part(as_bytes(good).first(size)).ok());
  }
  CHECK_FALSE(parse_gateway_part(as_bytes(good + '\0')).ok());
  for (const auto& [position, value] : {std::pair{0, 1}, {2, 2}, {3, 2}, {4, 2}, {5, 17}, {6, 1}}) {
    std::string bytes = good;
    bytes[static_cast<std::size_t>(position)] = static_cast<char>(value);
    CAPTURE(position);
    CHECK_FALSE(parse_gateway_part(as_bytes(bytes)).ok());
  }
}

TEST_CASE("a gateway part over a cap is not made") {
  GatewayPart part;
  part.pages.assign(kMaxErrorPages + 1, {});
  CHECK_FALSE(encode_gateway_part(part).ok());
  part.pages.assign(5, {404, 404, std::string(60'000, 'x')});
  CHECK_FALSE(encode_gateway_part(part).ok());
}

AccessRecord page_record() {
  AccessRecord record;
  record.app = 7;
  record.status = 200;
  record.at_ms = 1'790'856'000'250;
  record.bytes_out = 2;
  record.gateway_us = 30;
  record.queue_us = 10;
  record.app_us = 350;
  record.total_us = 400;
  record.cpu_us = 175;
  record.method = "GET";
  record.target = "/";
  record.host = "acme.example";
  record.remote_address = "192.0.2.1";
  record.user_agent = "t";
  record.request_id = "r1";
  record.format = AccessFormat::kJson;
  return record;
}

TEST_CASE("the access record has the page's bytes and parses back") {
  const std::string bytes = golden(kPage, "access_record");
  std::string out = "old";
  encode_access_record(out, page_record());
  CHECK(out == bytes);
  const auto record = parse_access_record(as_bytes(bytes));
  REQUIRE(record.ok());
  std::string again;
  encode_access_record(again, record.value());
  CHECK(again == bytes);
  CHECK(record.value().app_us == 350);
  CHECK(record.value().format == AccessFormat::kJson);
  CHECK(record.value().host == "acme.example");
}

TEST_CASE("long texts are cut, so that the largest access record fits its cap") {
  const std::string text(100'000, 'x');
  AccessRecord record = page_record();
  record.method = record.target = record.host = record.remote_address = text;
  record.referer = record.user_agent = record.request_id = text;
  std::string out;
  encode_access_record(out, record);
  CHECK(out.size() <= kMaxAccessRecordBytes);
  CHECK(parse_access_record(as_bytes(out)).value().target.size() == kMaxAccessTextBytes);
}

TEST_CASE("every truncation of an access record is refused") {
  const std::string bytes = golden(kPage, "access_record");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(parse_access_record(as_bytes(bytes).first(size)).ok());
  }
}

TEST_CASE("an access record with an unknown cause is refused") {
  std::string bytes = golden(kPage, "access_record");
  bytes[8] = 40;
  CHECK_FALSE(parse_access_record(as_bytes(bytes)).ok());
}

TEST_CASE("the running record has the page's bytes, parses back, is refused when cut, and is told apart") {
  const std::string bytes = golden(kPage, "running_record");
  RunningRecord record;
  record.app = 7;
  record.generation = 2;
  record.worker = 1;
  record.phase = RunningPhase::kStarted;
  record.at_ms = 1'790'856'000'250;
  record.running_ms = 1500;
  record.method = "POST";
  record.path = "/slow";
  record.host = "acme.example";
  record.request_id = "r1";
  std::string out = "old";
  encode_running_record(out, record);
  CHECK(out == bytes);
  REQUIRE(parse_running_record(as_bytes(bytes)).ok());
  CHECK(parse_running_record(as_bytes(bytes)).value().path == "/slow");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(parse_running_record(as_bytes(bytes).first(size)).ok());
  }
  CHECK(is_running_record(as_bytes(bytes)));
  CHECK_FALSE(is_running_record(as_bytes(golden(kPage, "access_record"))));
  const std::string text(1000, 'x');
  record.path = text;
  encode_running_record(out, record);
  CHECK(parse_running_record(as_bytes(out)).value().path.size() == kMaxRunningTextBytes);
}

}  // namespace
}  // namespace rowhouse::proto::test
