// A request's body as a connection reads it, in pieces; and what a chunked body means, read once more by twenty lines that share
// nothing with the gateway.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http1_request.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {

struct Collected final : BodySink {
  void on_body(std::string_view bytes) override { body.append(bytes); }
  std::string body;
};

struct ReadBody {
  Http1Request::Body verdict = Http1Request::Body::kMore;
  std::string body;      // of a complete one
  std::size_t bytes = 0;  // of the input that belong to a complete one
  friend bool operator==(const ReadBody&, const ReadBody&) = default;
};

// `input` arrives in pieces of `piece` bytes; `request` has begun.
inline ReadBody read_in_pieces(Http1Request& request, std::string_view input, std::size_t piece) {
  Collected sink;
  std::size_t used = 0, arrived = 0;
  while (request.body() == Http1Request::Body::kMore && arrived < input.size()) {
    arrived = std::min(arrived + piece, input.size());
    const std::string_view waiting = input.substr(used, arrived - used);
    const std::size_t before = sink.body.size();
    const std::size_t took = request.read_body(waiting, sink);
    require(took <= waiting.size(), "no more is taken than there is");
    require(sink.body.size() - before <= waiting.size(), "a body is no longer than what carried it");
    used += took;
    require(took == waiting.size() || request.body() != Http1Request::Body::kMore, "what cannot be used ends the body");
  }
  if (request.body() != Http1Request::Body::kComplete) return {request.body(), {}, 0};
  return {request.body(), std::move(sink.body), used};
}

// Of a body that was accepted; nothing where even this reader stumbles.
inline std::optional<ReadBody> read_plainly(std::string_view input) {
  ReadBody plain{Http1Request::Body::kComplete, {}, 0};
  std::size_t at = 0;
  for (;;) {
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(input.data() + at, input.data() + input.size(), size, 16);
    const std::size_t line = input.find("\r\n", at);
    if (parsed.ec != std::errc{} || line == std::string_view::npos) return std::nullopt;
    at = line + 2;
    if (size == 0) break;
    if (size > input.size() - at || input.substr(at + size, 2) != "\r\n") return std::nullopt;
    plain.body += input.substr(at, size);
    at += size + 2;
  }
  // Trailers, up to the empty line.
  for (;;) {
    const std::size_t line = input.find("\r\n", at);
    if (line == std::string_view::npos) return std::nullopt;
    const bool empty = line == at;
    at = line + 2;
    if (empty) break;
  }
  plain.bytes = at;
  return plain;
}

}  // namespace rowhouse::gateway
