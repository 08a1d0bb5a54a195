// Compression of an app's answers: whether, and how.  Off where an answer could carry a secret beside what a
// stranger wrote (BREACH): with a cookie on either side, unless the tenant asks for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/encodings.h"
#include "gateway/response_rules.h"
#include "proto/heads.h"

namespace rowhouse::gateway {

struct CompressRules {
  bool enabled = false;
  bool with_cookies = false;
  std::uint64_t min_bytes = 1024;  // of answers whose length is known
  std::vector<std::string> types;  // empty: what is_compressible says
};

// What counts of the request.
struct CompressRequest {
  Encodings encodings;
  bool has_cookie = false;
};

struct CompressChoice {
  Coding coding = Coding::kIdentity;
  bool varies = false;  // another client gets another coding
};

[[nodiscard]] CompressChoice choose_compression(const CompressRules& rules, const CompressRequest& request,
                                                const proto::ResponseHead& head,
                                                const CheckedResponse& checked);

// One body.  Memory for it is taken when the first bytes come.
class Compressor {
 public:
  virtual ~Compressor() = default;
  virtual void append(std::string_view bytes, std::string& out) = 0;
  // Everything so far can be read by the client.
  virtual void flush(std::string& out) = 0;
  virtual void finish(std::string& out) = 0;

  // REQUIRES: not kIdentity.
  [[nodiscard]] static std::unique_ptr<Compressor> create(Coding coding);
};

}  // namespace rowhouse::gateway
