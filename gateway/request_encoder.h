// Turns a client's head into the REQUEST frame for a worker: only parsed fields, never a line as it came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <string_view>

#include "gateway/refusal.h"
#include "gateway/request.h"

namespace rowhouse::gateway {

// Where the request goes.
struct RequestRoute {
  std::uint32_t app = 0;
  std::size_t prefix_bytes = 0;  // of the path: SCRIPT_NAME
};

// Buffers that all requests of a gateway share.
struct EncoderRoom {
  std::string text;  // lower-case names, joined cookies
  proto::FieldRoom fields;
};

// Writes one REQUEST frame, with stream 0, into `frame` (cleared first).  Refused: a field that may come once
// and came twice (400), and fields that do not fit the frame (431).
[[nodiscard]] std::optional<Refusal> encode_request(std::string& frame, EncoderRoom& room,
                                                    const Request& request, const CheckedHead& head,
                                                    const RequestRoute& route, const ClientAddress& client);

// Puts the stream's number into a frame that encode_request wrote.
void set_stream(std::string& frame, std::uint32_t stream);
// Whether such a frame offers WebSocket.
[[nodiscard]] bool offers_upgrade(std::string_view frame);

}  // namespace rowhouse::gateway
