#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "gateway/chunk_rules.h"

using namespace rowhouse::gateway;
using Verdict = ChunkRules::Verdict;

namespace {

struct Row {
  const char* what;
  std::string body;
  Verdict verdict;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {"one chunk", "5\r\nhello\r\n0\r\n\r\n", Verdict::kComplete},
      {"leading zeros and both letter cases",
       "0005\r\nhello\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", Verdict::kComplete},
      {"sixteen digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", Verdict::kComplete},
      {"seventeen digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", Verdict::kRefused},
      {"no size", "\r\nhello\r\n0\r\n\r\n", Verdict::kRefused},
      {"0x", "0x1\r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"plus", "+1\r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"minus", "-1\r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"underscore", "1_0\r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"blank before the size", " 1\r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"blank after the size", "1 \r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"no hex digit", "1Z\r\na\r\n0\r\n\r\n", Verdict::kRefused},
      {"extensions", "5;a=b\r\nhello\r\n0;x=\"q;y\"\r\n\r\n", Verdict::kComplete},
      {"CR in an extension", "5;a=\"q;\r\"\r\nhello\r\n0\r\n\r\n", Verdict::kRefused},
      {"control byte in an extension", "5;a=\x01\r\nhello\r\n0\r\n\r\n", Verdict::kRefused},
      {"an extension of 256 bytes", "5;" + std::string(255, 'a') + "\r\nhello\r\n0\r\n\r\n",
       Verdict::kComplete},
      {"an extension of 257 bytes", "5;" + std::string(256, 'a') + "\r\nhello\r\n0\r\n\r\n",
       Verdict::kRefused},
      {"bare LF after a size", "5\nhello\r\n0\r\n\r\n", Verdict::kRefused},
      {"bare LF after data", "5\r\nhello\n0\r\n\r\n", Verdict::kRefused},
      {"bare CR after a size", "5\rhello\r\n0\r\n\r\n", Verdict::kRefused},
      {"data longer than its size", "5\r\nhelloXX\r\n0\r\n\r\n", Verdict::kRefused},
      {"empty line before the last chunk", "5\r\nhello\r\n\r\n0\r\n\r\n", Verdict::kRefused},
      {"garbage after the last chunk", "0\r\nX", Verdict::kMore},
      {"garbage line after the last chunk", "0\r\nX\r\n\r\n", Verdict::kRefused},
      {"no last line end", "5\r\nhello\r\n0\r\n", Verdict::kMore},
      {"a harmless trailer", "0\r\nX-Sum: 1\r\n\r\n", Verdict::kComplete},
      {"trailer without a name", "0\r\n: 1\r\n\r\n", Verdict::kRefused},
      {"trailer with a blank in its name", "0\r\nX Y: 1\r\n\r\n", Verdict::kRefused},
      {"folded trailer", "0\r\nX: 1\r\n y\r\n\r\n", Verdict::kRefused},
      {"trailer with NUL", std::string("0\r\nX: \0\r\n\r\n", 12), Verdict::kRefused},
      {"trailer with bare LF", "0\r\nX: 1\n\r\n", Verdict::kRefused},
      {"trailer Transfer-Encoding", "0\r\nTransfer-Encoding: chunked\r\n\r\n", Verdict::kRefused},
      {"trailer content-length", "0\r\ncontent-length: 5\r\n\r\n", Verdict::kRefused},
      {"trailer Host", "0\r\nHost: b\r\n\r\n", Verdict::kRefused},
      {"trailer Authorization", "0\r\nAuthorization: x\r\n\r\n", Verdict::kRefused},
      {"trailer that begins like a forbidden one", "0\r\nProxy-Authorizations: x\r\n\r\n",
       Verdict::kComplete},
      {"long trailer", "0\r\nX: " + std::string(kMaxTrailerBytes, 'a') + "\r\n\r\n", Verdict::kRefused},
  };
  return kRows;
}

// Gives the body in parts of `size` bytes, followed by the next request, and tells how many bytes were its.
ChunkRules::Progress check_in_parts(const std::string& body, std::size_t size) {
  const std::string input = body + "GET / HTTP/1.1\r\n";
  ChunkRules rules;
  std::size_t used = 0;
  for (std::size_t at = 0; at < body.size(); at += size) {
    const std::string_view part = std::string_view(input).substr(at, std::min(size, body.size() - at));
    const ChunkRules::Progress progress = rules.check(part);
    used += progress.bytes;
    if (progress.verdict != Verdict::kMore) return {progress.verdict, used};
    CHECK(progress.bytes == part.size());
  }
  return {Verdict::kMore, used};
}

}  // namespace

TEST_CASE("each form of a chunked body gets its verdict, however it is split") {
  for (const Row& row : rows()) {
    CAPTURE(row.what);
    for (std::size_t size = 1; size <= row.body.size(); ++size) {
      const ChunkRules::Progress progress = check_in_parts(row.body, size);
      REQUIRE(progress.verdict == row.verdict);
      if (row.verdict == Verdict::kComplete) REQUIRE(progress.bytes == row.body.size());
    }
  }
}

TEST_CASE("a complete body leaves the next request alone") {
  ChunkRules rules;
  const ChunkRules::Progress progress = rules.check("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
  CHECK(progress.verdict == Verdict::kComplete);
  CHECK(progress.bytes == 11);
}

TEST_CASE("a size that does not fit 64 bits is never reached") {
  ChunkRules rules;
  CHECK(rules.check("ffffffffffffffff\r\nxx").verdict == Verdict::kMore);
  ChunkRules beyond;
  CHECK(beyond.check("fffffffffffffffff\r\nxx").verdict == Verdict::kRefused);
}

TEST_CASE("one-byte chunks pass, extensions on each of them do not") {
  ChunkRules plain;
  for (int i = 0; i < 200'000; ++i) REQUIRE(plain.check("1\r\nx\r\n").verdict == Verdict::kMore);
  ChunkRules padded;
  Verdict verdict = Verdict::kMore;
  for (int i = 0; i < 200'000 && verdict == Verdict::kMore; ++i) {
    verdict = padded.check("000000000001\r\nx\r\n").verdict;
  }
  CHECK(verdict == Verdict::kRefused);
}

TEST_CASE("extensions of one body are capped together") {
  ChunkRules rules;
  Verdict verdict = Verdict::kMore;
  int chunks = 0;
  while (verdict == Verdict::kMore && chunks < 1000) {
    verdict = rules.check("a;" + std::string(99, 'e') + "\r\n0123456789\r\n").verdict;
    ++chunks;
  }
  CHECK(verdict == Verdict::kRefused);
  CHECK(chunks == 41);
}
