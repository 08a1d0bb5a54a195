// The access log as JSON: the fields of the page, and no text that could end a string or a line.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "control/access_line.h"
#include "control/log_line.h"

using namespace rowhouse::control;

namespace {

rowhouse::proto::AccessRecord record() {
  rowhouse::proto::AccessRecord record;
  record.format = rowhouse::proto::AccessFormat::kJson;
  record.status = 200;
  record.at_ms = 1'700'000'000'042;
  record.bytes_in = 3;
  record.bytes_out = 512;
  record.gateway_us = 50;
  record.queue_us = 200;
  record.app_us = 11'900;
  record.total_us = 12'300;
  record.cpu_us = 9'000;
  record.method = "GET";
  record.target = "/a?b=c?d";
  record.host = "acme.example";
  record.remote_address = "192.0.2.1";
  record.user_agent = "curl/8";
  record.request_id = "r1";
  return record;
}

}  // namespace

TEST_CASE("an access line as JSON has every field, and null for what is absent") {
  CHECK(nlohmann::json::parse(format_access_line(record())) ==
        nlohmann::json::parse(R"({"time":"2023-11-14T22:13:20.042Z","id":"r1","address":"192.0.2.1","method":"GET",
          "host":"acme.example","path":"/a","query":"b=c?d","protocol":"HTTP/1.1","status":200,"request_bytes":3,
          "response_bytes":512,"total_us":12300,"gateway_us":50,"queue_us":200,"app_us":11900,"write_us":150,"worker_cpu_us":9000,"worker_gil_wait_us":null,
          "cause":null,"error_id":null,"user_agent":"curl/8","referer":null,"aborted":false})"));
  rowhouse::proto::AccessRecord failed;
  failed.format = rowhouse::proto::AccessFormat::kJson;
  failed.cause = rowhouse::proto::Cause::kWorkerGone;
  failed.error_id = 0xab;
  failed.client_aborted = true;
  failed.version = 10;
  failed.total_us = 5;
  failed.app_us = 10;  // rounded: the parts may be a little more than the whole
  const auto line = nlohmann::json::parse(format_access_line(failed));
  CHECK(line["status"].is_null());
  CHECK(line["path"].is_null());
  CHECK(line["query"].is_null());
  CHECK(line["cause"] == "RH-WORKER-GONE");
  CHECK(line["error_id"] == "00000000000000ab");
  CHECK(line["write_us"] == 0);
  CHECK(line["aborted"] == true);
  CHECK(line["protocol"] == "HTTP/1.0");
}

TEST_CASE("every byte of a text comes through JSON as it was, on one line of ASCII") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  rowhouse::proto::AccessRecord hostile = record();
  hostile.user_agent = hostile.host = hostile.method = hostile.request_id = hostile.referer = all;
  hostile.target = "/\x1b[2J\",\"status\":1,\"x\":\"\\";
  const std::string line = format_access_line(hostile);
  for (const char c : line) CHECK((c >= ' ' && c <= '~'));
  // What control shows is not changed again on its way to a terminal.
  CHECK(rowhouse::terminal_safe(line) == line);
  const auto parsed = nlohmann::json::parse(line);
  CHECK(parsed["status"] == 200);
  CHECK(parsed.size() == 23);
  std::string again;
  const auto text = parsed["user_agent"].get<std::string>();  // UTF-8 of U+0000 to U+00FF
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    again += byte < 0x80 ? text[i] : static_cast<char>(((byte & 3) << 6) | (text[++i] & 0x3f));
  }
  CHECK(again == all);
}

TEST_CASE("the time of a stored line is read out of either form") {
  CHECK(parse_access_line(format_access_line(record())).at == "2023-11-14T22:13:20.042Z");
  rowhouse::proto::AccessRecord combined = record();
  combined.format = rowhouse::proto::AccessFormat::kCombined;
  CHECK(parse_access_line(format_access_line(combined)).at == "2023-11-14T22:13:20.000Z");
  CHECK(parse_access_line("{\"time\":\"").at.empty());
}
