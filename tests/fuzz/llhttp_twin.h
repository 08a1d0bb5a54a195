// The same head as llhttp in strict mode reads it: what our rules accept, it must accept alike.  Used by
// fuzz-head and by the unit tests.
#pragma once

#include <llhttp.h>

#include <string>
#include <string_view>
#include <vector>

#include "gateway/head_rules.h"
#include "gateway/http_bytes.h"

namespace rowhouse::gateway {

// What llhttp reports of one head.
struct LlhttpHead {
  std::string target;
  std::vector<std::string> names;
  std::vector<std::string> values;
  bool complete = false;
  bool chunked = false;
  std::uint64_t content_length = 0;
};

inline LlhttpHead& seen_by(llhttp_t* parser) { return *static_cast<LlhttpHead*>(parser->data); }

inline llhttp_settings_t make_llhttp_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = [](llhttp_t* parser, const char* at, std::size_t size) {
    seen_by(parser).target.append(at, size);
    return 0;
  };
  settings.on_header_field = [](llhttp_t* parser, const char* at, std::size_t size) {
    LlhttpHead& seen = seen_by(parser);
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
    LlhttpHead& seen = seen_by(parser);
    seen.complete = true;
    seen.chunked = (parser->flags & F_CHUNKED) != 0;
    seen.content_length = parser->content_length;
    parser->upgrade = 0;
    return 0;
  };
  return settings;
}

// What llhttp says otherwise of a block that check_head accepted, or null.
inline const char* difference_to_llhttp(std::string_view block, const CheckedHead& head) {
  static const llhttp_settings_t settings = make_llhttp_settings();
  llhttp_t parser;
  LlhttpHead seen;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &seen;
  if (llhttp_execute(&parser, block.data(), block.size()) != HPE_OK) return "llhttp refuses it";
  if (!seen.complete) return "llhttp does not find its end";
  if (llhttp_method_name(static_cast<llhttp_method_t>(parser.method)) != head.method) return "another method";
  if (parser.http_major * 10 + parser.http_minor != head.version) return "another version";
  if (seen.target != head.target) return "another target";
  if (seen.chunked != (head.framing == BodyFraming::kChunked)) return "another coding";
  if (seen.content_length != head.content_length) return "another length";
  if (seen.names.size() != head.fields.size() || seen.values.size() != seen.names.size())
    return "other fields";
  for (std::size_t i = 0; i < seen.names.size(); ++i) {
    if (seen.names[i] != head.fields[i].name) return "another name of a field";
    if (trim_blanks(seen.values[i]) != head.fields[i].value) return "another value of a field";
  }
  return nullptr;
}

}  // namespace rowhouse::gateway
