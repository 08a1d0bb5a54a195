// The framing of an answer's body: bytes that follow each other become one chunk until the client takes some.
#include <doctest/doctest.h>

#include "gateway/http1_writer.h"

using namespace rowhouse;
using namespace rowhouse::gateway;

namespace {

struct Answer {
  std::string out;
  Http1Writer writer{out};
  Request request;

  Answer() {
    request.method = "GET";
    request.version = 11;
    writer.append_head({200, {}, {}}, {}, request, {"now", AfterAnswer::kKeepAlive, {}});
    out.clear();  // as if the client had taken the head
    writer.on_output_taken();
  }
};

std::string chunk(std::size_t size, std::string_view digits) {
  return std::string(digits) + "\r\n" + std::string(size, 'x') + "\r\n";
}

}  // namespace

TEST_CASE("bytes that come one by one are one chunk, whatever the length of its size") {
  Answer answer;
  std::size_t sent = 0;
  for (const auto& [size, digits] : {std::pair<std::size_t, std::string_view>{1, "1"},
                                     {15, "f"},
                                     {16, "10"},
                                     {255, "ff"},
                                     {256, "100"},
                                     {4095, "fff"},
                                     {4096, "1000"},
                                     {70'000, "11170"}}) {
    for (; sent < size; ++sent) answer.writer.append_data("x");
    CHECK(answer.out == chunk(size, digits));
  }
  answer.writer.append_end();
  CHECK(answer.out == chunk(70'000, "11170") + "0\r\n\r\n");
}

TEST_CASE("a chunk does not grow after the client has taken of it, nor across answers") {
  Answer answer;
  answer.writer.append_data("xx");
  answer.writer.on_output_taken();
  answer.writer.append_data("xxx");
  CHECK(answer.out == chunk(2, "2") + chunk(3, "3"));
  answer.writer.append_end();
  const std::size_t first = answer.out.size();
  answer.writer.append_head({200, {}, {}}, {}, answer.request, {"now", AfterAnswer::kKeepAlive, {}});
  answer.writer.append_data("x");
  CHECK(answer.out.ends_with("\r\n\r\n" + chunk(1, "1")));
  CHECK(answer.out.substr(0, first) == chunk(2, "2") + chunk(3, "3") + "0\r\n\r\n");
}

TEST_CASE("no bytes are no chunk: they would end the body") {
  Answer answer;
  answer.writer.append_data("");
  CHECK(answer.out.empty());
}
