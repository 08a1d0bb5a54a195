// The gateway part: what a loader, as the tenant, tells the gateways about one app and nobody else needs to know.
// A sealed memory file of at most kMaxGatewayPartBytes that root passes on unread; to the gateway they are hostile
// bytes.  Layout: u16 version (2), then the fields in the order of the struct; a list is a u16 count and its items,
// a flag a u8 of 0 or 1, a text a text16.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/limits.h"

namespace rowhouse::proto {

struct GatewayPart {
  // Of the static prefix of the same name.
  struct Static {
    std::string prefix;         // "/static/"
    std::string cache_control;  // value of the field; empty: none
    std::string index;          // name of a directory's file
    bool fallback = false;      // what is no file here is the app's to answer
  };
  // Of the app's route of this number, in the order of its AppRoute messages.
  struct Redirect {
    std::uint16_t route = 0;
    std::uint16_t status = 301;
    std::string target;      // absolute, or "/path"
    bool keep_path = true;   // what follows the route's prefix is appended
  };
  // In place of the gateway's own page for these statuses.
  struct Page {
    std::uint16_t first_status = 0, last_status = 0;
    std::string html;
  };
  // Of the app's answers.
  struct Compress {
    bool enabled = false;
    bool with_cookies = false;  // also where a cookie came or goes (BREACH)
    std::uint32_t min_bytes = 1024;
    std::vector<std::string> types;  // "text/html"
  };
  bool buffering = true;  // of request bodies
  bool buffer_responses = true;
  bool json_access_log = false;
  std::vector<Static> statics;
  std::vector<Redirect> redirects;
  std::vector<Page> pages;
  Compress compress;
};

// kTooLarge when it would exceed a cap.
[[nodiscard]] Result<std::string> encode_gateway_part(const GatewayPart& part);
// Shape and caps only: what the texts mean is the gateway's to check.
[[nodiscard]] Result<GatewayPart> parse_gateway_part(ByteSpan bytes);

}  // namespace rowhouse::proto
