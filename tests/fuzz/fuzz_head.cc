// Request heads: the verdict does not depend on how the bytes arrive, and what our rules accept llhttp in
// strict mode accepts too, with the same method, target, fields and framing.
#include <llhttp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/head_rules.h"
#include "gateway/http_bytes.h"
#include "gateway/path.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {
namespace {

using Room = std::array<HeadField, proto::kMaxFields>;

// What llhttp reports of one head.
struct Seen {
  std::string target;
  std::vector<std::string> names;
  std::vector<std::string> values;
  bool head_complete = false;
  bool chunked = false;
  std::uint64_t content_length = 0;
};

Seen& seen_by(llhttp_t* parser) { return *static_cast<Seen*>(parser->data); }

llhttp_settings_t make_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = [](llhttp_t* parser, const char* at, std::size_t size) {
    seen_by(parser).target.append(at, size);
    return 0;
  };
  settings.on_header_field = [](llhttp_t* parser, const char* at, std::size_t size) {
    Seen& seen = seen_by(parser);
    if (seen.names.size() == seen.values.size()) seen.names.emplace_back();
    seen.names.back().append(at, size);
    return 0;
  };
  settings.on_header_field_complete = [](llhttp_t* parser) {
    seen_by(parser).values.emplace_back();
    return 0;
  };
  settings.on_header_value = [](llhttp_t* parser, const char* at, std::size_t size) {
    seen_by(parser).values.back().append(at, size);
    return 0;
  };
  settings.on_headers_complete = [](llhttp_t* parser) {
    Seen& seen = seen_by(parser);
    seen.head_complete = true;
    seen.chunked = (parser->flags & F_CHUNKED) != 0;
    seen.content_length = parser->content_length;
    parser->upgrade = 0;
    return 0;
  };
  return settings;
}

void check_against_llhttp(std::string_view block, const CheckedHead& head) {
  static const llhttp_settings_t settings = make_settings();
  llhttp_t parser;
  Seen seen;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &seen;
  require(llhttp_execute(&parser, block.data(), block.size()) == HPE_OK, "llhttp accepts what we accept");
  require(seen.head_complete, "llhttp finds the end of the head");
  require(llhttp_method_name(static_cast<llhttp_method_t>(parser.method)) == head.method,
          "the method is the same");
  require(parser.http_major * 10 + parser.http_minor == head.version, "the version is the same");
  require(seen.target == head.target, "the target is the same");
  require(seen.chunked == (head.framing == BodyFraming::kChunked), "the coding is the same");
  require(seen.content_length == head.content_length, "the length is the same");
  require(seen.names.size() == head.fields.size() && seen.values.size() == seen.names.size(),
          "the fields are as many");
  for (std::size_t i = 0; i < seen.names.size(); ++i) {
    require(seen.names[i] == head.fields[i].name, "the names are the same");
    require(trim_blanks(seen.values[i]) == head.fields[i].value, "the values are the same");
  }
}

void check_accepted(std::string_view block, const CheckedHead& head) {
  check_against_llhttp(block, head);
  std::string host;
  require(head.authority.empty() ? head.version == 10 : host_of_authority(head.authority, host),
          "an accepted authority has a host");
  require(host.find_first_of("/@ ,\\\r\n") == std::string::npos, "a host is a name");
  std::string path;
  if (!head.asterisk) static_cast<void>(normalise_path(head.path, path).ok());
}

struct Verdict {
  int status = 0;        // of a refusal; 0: none
  std::size_t size = 0;  // of the block; 0: more is needed
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// The input arrives in pieces of `piece` bytes.
Verdict collect(std::string_view input, std::size_t piece) {
  for (std::size_t arrived = 0; arrived < input.size();) {
    const std::size_t checked = arrived;
    arrived = std::min(arrived + piece, input.size());
    const auto found = find_head_end(input.substr(0, arrived), checked);
    if (const auto* refusal = std::get_if<HeadRefusal>(&found)) return {refusal->status, 0};
    if (const std::size_t size = std::get<std::size_t>(found); size != 0) return {0, size};
  }
  return {};
}

void try_head(std::string_view input) {
  Room room;
  const auto checked = check_head(input, room);
  const auto* head = std::get_if<CheckedHead>(&checked);
  if (head != nullptr) check_accepted(input, *head);

  const Verdict whole = collect(input, input.size());
  for (const std::size_t piece : {1U, 2U, 7U})
    require(collect(input, piece) == whole, "splits change nothing");
  const bool within_caps = input.size() < kMaxRequestLineBytes;
  require(head == nullptr || !within_caps || whole.size == input.size(), "the block is whole");
  if (whole.size != 0) static_cast<void>(check_head(input.substr(0, whole.size), room));
}

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowhouse::gateway::try_head({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
