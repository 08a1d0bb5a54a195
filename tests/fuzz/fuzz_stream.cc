// Everything that a client sends on one connection: request after request, with their bodies, glued together.  Which requests
// there are, what their bodies are and where it ends does not depend on how the bytes arrive.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/head_rules.h"
#include "tests/fuzz/body_reader.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kMaxRequests = 32;
constexpr std::size_t kByteByByteBytes = 512;

struct Told {
  int refused = 0;  // the status; 0: not
  std::string method, target, fields;
  ReadBody body;
  friend bool operator==(const Told&, const Told&) = default;
};

// The block of the next head, in pieces; its size, 0 when it does not come, or what it was refused with.
std::variant<std::size_t, HeadRefusal> collect_head(std::string_view input, std::size_t piece) {
  std::variant<std::size_t, HeadRefusal> found = std::size_t{0};
  for (std::size_t arrived = 0; arrived < input.size();) {
    const std::size_t checked = arrived;
    arrived = std::min(arrived + piece, input.size());
    found = find_head_end(input.substr(0, arrived), checked);
    if (std::holds_alternative<HeadRefusal>(found) || std::get<std::size_t>(found) != 0) return found;
  }
  return found;
}

// One request at the beginning of `input`, which is made shorter by it; false when nothing can follow.
bool read_request(std::string_view& input, std::size_t piece, Told& told) {
  const auto size = collect_head(input, piece);
  if (const auto* refusal = std::get_if<HeadRefusal>(&size)) return told.refused = refusal->status, false;
  const std::string_view block = input.substr(0, std::get<std::size_t>(size));
  if (block.empty()) return false;
  std::array<HeadField, proto::kMaxFields> room;
  const auto checked = check_head(block, room);
  if (const auto* refusal = std::get_if<HeadRefusal>(&checked)) return told.refused = refusal->status, false;
  const auto& head = std::get<CheckedHead>(checked);
  told.method = head.method;
  told.target = head.path;
  for (const HeadField& field : head.fields) told.fields.append(field.name).append(":").append(field.value).append("\n");
  Http1Request request;
  if (const auto refusal = request.begin(block, head)) return told.refused = refusal->status, false;
  input.remove_prefix(block.size());
  told.body = read_in_pieces(request, input, piece);
  input.remove_prefix(told.body.bytes);
  return told.body.verdict == Http1Request::Body::kComplete && !head.offers_websocket;
}

std::vector<Told> read_stream(std::string_view input, std::size_t piece) {
  std::vector<Told> all;
  bool goes_on = true;
  while (goes_on && !input.empty() && all.size() < kMaxRequests) goes_on = read_request(input, piece, all.emplace_back());
  return all;
}

void try_stream(std::string_view input) {
  const std::vector<Told> whole = read_stream(input, std::max<std::size_t>(input.size(), 1));
  const std::size_t shortest = input.size() <= kByteByByteBytes ? 1 : 17;
  for (const std::size_t piece : {shortest, std::size_t{5}, std::size_t{131}}) {
    require(read_stream(input, piece) == whole, "splits change nothing");
  }
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowhouse::gateway::try_stream({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
