// Chunked bodies: the verdict, the decoded bytes and the end do not depend on how the bytes arrive, and are those that a plain
// reading of the grammar gives.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "gateway/chunk_rules.h"
#include "tests/fuzz/body_reader.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kByteByByteBytes = 4096;

ReadBody read_as_request(std::string_view input, std::size_t piece) {
  constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  static std::array<HeadField, proto::kMaxFields> room;
  static const auto checked = check_head(kHead, room);
  Http1Request request;
  require(!request.begin(kHead, std::get<CheckedHead>(checked)), "the head is good");
  return read_in_pieces(request, input, piece);
}

void check_rules(std::string_view input) {
  ChunkRules whole, split;
  const ChunkRules::Progress at_once = whole.check(input);
  ChunkRules::Progress step;
  std::size_t used = 0;
  while (used < input.size() && step.verdict == ChunkRules::Verdict::kMore) {
    step = split.check(input.substr(used, 1));
    used += step.bytes;
  }
  require(step.verdict == at_once.verdict || input.empty(), "the rules say the same byte by byte");
  require(at_once.verdict != ChunkRules::Verdict::kComplete || used == at_once.bytes, "and find the same end");
}

void try_chunks(std::string_view input) {
  check_rules(input);
  const ReadBody whole = read_as_request(input, std::max<std::size_t>(input.size(), 1));
  const std::size_t shortest = input.size() <= kByteByByteBytes ? 1 : 13;
  for (const std::size_t piece : {shortest, std::size_t{7}, std::size_t{61}}) {
    require(read_as_request(input, piece) == whole, "splits change nothing");
  }
  if (whole.verdict == Http1Request::Body::kComplete) {
    require(read_plainly(input) == whole, "an accepted body means what the grammar says");
  }
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowhouse::gateway::try_chunks({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
