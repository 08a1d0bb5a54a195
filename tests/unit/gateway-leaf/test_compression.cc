// Which answers are compressed, and that what was compressed comes back whole.
#include <doctest/doctest.h>
#include <zlib.h>

#include <array>

#include "gateway/compression.h"

namespace rowhouse::gateway {
namespace {

Encodings accepts(std::string_view value) {
  return accepted_encodings(std::vector<HeadField>{{"Accept-Encoding", value}});
}

TEST_CASE("Accept-Encoding with a weight of 0 is a no") {
  CHECK(accepts("gzip, br").brotli);
  CHECK(accepts("gzip, br").gzip);
  CHECK_FALSE(accepts("gzip;q=0, br").gzip);
  CHECK_FALSE(accepts("gzip; q=0.000").gzip);
  CHECK(accepts("gzip;q=0.1").gzip);
  CHECK(accepts("*").brotli);
  CHECK_FALSE(accepts("*, br;q=0").brotli);
  CHECK_FALSE(accepts("identity").any());
  CHECK_FALSE(accepted_encodings({}).any());
  CHECK(accepts("GZIP").gzip);
  CHECK_FALSE(accepts("gzipped").gzip);
}

struct Case {
  CompressRules rules{true, false, 100, {}};
  CompressRequest request{{true, true}, false};
  std::uint16_t status = 200;
  std::vector<proto::Field> fields{{0, "content-type", "text/html; charset=utf-8"}};
  CheckedResponse checked{};
  [[nodiscard]] CompressChoice choice() const {
    return choose_compression(rules, request, {status, {}, fields}, checked);
  }
};

TEST_CASE("text is compressed for whom it may be, and nothing where a cookie comes or goes") {
  Case plain;
  CHECK(plain.choice().coding == Coding::kBrotli);
  CHECK(plain.choice().varies);
  Case gzip;
  gzip.request.encodings.brotli = false;
  CHECK(gzip.choice().coding == Coding::kGzip);
  Case nothing;
  nothing.request.encodings = {};
  CHECK(nothing.choice().coding == Coding::kIdentity);
  CHECK(nothing.choice().varies);
  Case cookie;
  cookie.request.has_cookie = true;
  CHECK(cookie.choice().coding == Coding::kIdentity);
  cookie.rules.with_cookies = true;
  CHECK(cookie.choice().coding == Coding::kBrotli);
  Case sets;
  sets.fields.push_back({0, "Set-Cookie", "a=b"});
  CHECK(sets.choice().coding == Coding::kIdentity);
}

TEST_CASE("what is short, partial, compressed already or not to be changed stays as it is") {
  Case off;
  off.rules.enabled = false;
  CHECK(off.choice().coding == Coding::kIdentity);
  Case small;
  small.checked.has_length = true;
  small.checked.length = 99;
  CHECK(small.choice().coding == Coding::kIdentity);
  small.checked.length = 100;
  CHECK(small.choice().coding == Coding::kBrotli);
  Case part;
  part.status = 206;
  CHECK(part.choice().coding == Coding::kIdentity);
  for (const auto& [name, value] :
       {std::pair{"Content-Encoding", "gzip"}, {"Cache-Control", "public, no-transform"}}) {
    Case given;
    given.fields.push_back({0, name, value});
    CHECK(given.choice().coding == Coding::kIdentity);
  }
  Case image;
  image.fields = {{0, "content-type", "image/png"}};
  CHECK(image.choice().coding == Coding::kIdentity);
  image.rules.types = {"image/png"};
  CHECK(image.choice().coding == Coding::kBrotli);
}

TEST_CASE("what was flushed can be read before the end") {
  const auto gzip = Compressor::create(Coding::kGzip);
  std::string out;
  const std::string text(50'000, 'x');
  gzip->append(text, out);
  gzip->flush(out);
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string back(60'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(out.data());
  stream.avail_in = static_cast<uInt>(out.size());
  stream.next_out = reinterpret_cast<Bytef*>(back.data());
  stream.avail_out = static_cast<uInt>(back.size());
  CHECK(inflate(&stream, Z_SYNC_FLUSH) == Z_OK);
  CHECK(stream.total_out == text.size());
  std::string rest;
  gzip->finish(rest);
  stream.next_in = reinterpret_cast<Bytef*>(rest.data());
  stream.avail_in = static_cast<uInt>(rest.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  CHECK(back.substr(0, text.size()) == text);
  inflateEnd(&stream);
}

}  // namespace
}  // namespace rowhouse::gateway
