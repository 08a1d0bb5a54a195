#include "gateway/compression.h"

#include <brotli/encode.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

constexpr int kGzipLevel = 4;         // beyond it time grows much faster than size shrinks
constexpr int kGzipWindow = 15 + 16;  // a gzip header (zlib.h, deflateInit2)
constexpr int kGzipMemory = 8;
constexpr std::uint32_t kBrotliQuality = 4;
constexpr std::uint32_t kBrotliWindow = 18;
constexpr std::size_t kPieceBytes = 16 * 1024;

const proto::Field* find_field(const proto::ResponseHead& head, std::string_view name) {
  const auto found = std::find_if(head.fields.begin(), head.fields.end(), [name](const proto::Field& field) {
    return equals_lower(field.name, name);
  });
  return found == head.fields.end() ? nullptr : &*found;
}

bool is_wanted_type(const CompressRules& rules, std::string_view content_type) {
  if (rules.types.empty()) return is_compressible(content_type);
  const std::string_view type = trim_blanks(content_type.substr(0, content_type.find(';')));
  return std::any_of(rules.types.begin(), rules.types.end(),
                     [type](const std::string& known) { return equals_lower(type, known); });
}

bool forbids_transform(const proto::ResponseHead& head) {
  const proto::Field* control = find_field(head, "cache-control");
  bool forbids = false;
  if (control == nullptr) return false;
  for_each_element(control->value,
                   [&](std::string_view each) { forbids = forbids || equals_lower(each, "no-transform"); });
  return forbids;
}

class Gzip final : public Compressor {
 public:
  Gzip() {
    if (deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) != Z_OK)
      std::abort();
  }
  ~Gzip() override { deflateEnd(&stream_); }
  void append(std::string_view bytes, std::string& out) override { run(bytes, Z_NO_FLUSH, out); }
  void flush(std::string& out) override { run({}, Z_SYNC_FLUSH, out); }
  void finish(std::string& out) override { run({}, Z_FINISH, out); }

 private:
  void run(std::string_view bytes, int mode, std::string& out) {
    // zlib reads and does not write there.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    std::array<Bytef, kPieceBytes> piece;
    do {
      stream_.next_out = piece.data();
      stream_.avail_out = static_cast<uInt>(piece.size());
      deflate(&stream_, mode);
      out.append(reinterpret_cast<const char*>(piece.data()), piece.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }
  z_stream stream_{};
};

class Brotli final : public Compressor {
 public:
  Brotli() : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) std::abort();
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, kBrotliQuality);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, kBrotliWindow);
  }
  ~Brotli() override { BrotliEncoderDestroyInstance(state_); }
  void append(std::string_view bytes, std::string& out) override {
    run(bytes, BROTLI_OPERATION_PROCESS, out);
  }
  void flush(std::string& out) override { run({}, BROTLI_OPERATION_FLUSH, out); }
  void finish(std::string& out) override { run({}, BROTLI_OPERATION_FINISH, out); }

 private:
  void run(std::string_view bytes, BrotliEncoderOperation operation, std::string& out) {
    std::size_t left = bytes.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    do {
      std::size_t room = 0;
      if (BrotliEncoderCompressStream(state_, operation, &left, &next, &room, nullptr, nullptr) ==
          BROTLI_FALSE) {
        std::abort();
      }
      std::size_t size = 0;
      const std::uint8_t* piece = BrotliEncoderTakeOutput(state_, &size);
      out.append(reinterpret_cast<const char*>(piece), size);
    } while (left > 0 || BrotliEncoderHasMoreOutput(state_) == BROTLI_TRUE);
  }
  BrotliEncoderState* state_;
};

}  // namespace

CompressChoice choose_compression(const CompressRules& rules, const CompressRequest& request,
                                  const proto::ResponseHead& head, const CheckedResponse& checked) {
  if (!rules.enabled || head.status != 200 || find_field(head, "content-encoding") != nullptr) return {};
  const proto::Field* type = find_field(head, "content-type");
  if (type == nullptr || !is_wanted_type(rules, type->value) || forbids_transform(head)) return {};
  if (checked.has_length && checked.length < rules.min_bytes) return {};
  const bool cookies = request.has_cookie || find_field(head, "set-cookie") != nullptr;
  if (cookies && !rules.with_cookies) return {};
  if (request.encodings.brotli) return {Coding::kBrotli, true};
  if (request.encodings.gzip) return {Coding::kGzip, true};
  return {Coding::kIdentity, true};
}

std::unique_ptr<Compressor> Compressor::create(Coding coding) {
  if (coding == Coding::kBrotli) return std::make_unique<Brotli>();
  return std::make_unique<Gzip>();
}

}  // namespace rowhouse::gateway
