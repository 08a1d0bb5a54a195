// The head of a response while an app puts it together: checked as PEP 3333 demands, copied, and turned into
// a RESPONSE frame when the first byte of the body is due.  Knows no Python.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/heads.h"

namespace rowhouse::worker {

class ResponseDraft {
 public:
  void clear();

  // Each refuses with an Error whose operation says what is wrong, as the end of a sentence.
  // "200 OK": three digits from 200 to 599, a space, a reason of at most kMaxReasonBytes.
  Status set_status(std::string_view line);
  // The same of a number, with the standard reason.
  Status set_status_code(long status);
  // 101, for a tunnel.
  void set_switching() { status_ = 101; }
  // Whether add_field refuses the name because only the server may send it.
  [[nodiscard]] static bool is_hop_by_hop(std::string_view name);
  // A token and a value without control bytes; no hop-by-hop field; Content-Length well-formed and once.
  Status add_field(std::string_view name, std::string_view value);
  // Adds Content-Length.  REQUIRES: !content_length().
  void set_content_length(std::uint64_t bytes);

  [[nodiscard]] std::uint16_t status() const { return status_; }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const { return content_length_; }
  // Whether a response with this status may have a body (RFC 9110 6.4.1).
  [[nodiscard]] bool may_have_body() const { return status_ != 204 && status_ != 304; }

  // Borrowed from this draft and from `room`; valid until the next change.
  [[nodiscard]] proto::ResponseHead head(proto::FieldRoom& room) const;

 private:
  struct Entry {
    std::uint8_t number = 0;
    std::uint32_t name_at = 0, name_bytes = 0, value_at = 0, value_bytes = 0;
  };
  void append(std::string_view name, std::string_view value);

  std::uint16_t status_ = 0;
  std::string reason_;
  std::string text_;  // names and values
  std::size_t field_bytes_ = 0;
  std::vector<Entry> entries_;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace rowhouse::worker
