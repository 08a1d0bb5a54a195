// What all requests of one gateway process work with: time, deadlines, and room that is used and left again
// within one event.
#pragma once

#include <array>

#include "gateway/deadlines.h"
#include "gateway/head_rules.h"
#include "gateway/mime.h"
#include "gateway/request_encoder.h"
#include "gateway/request_ids.h"
#include "gateway/turn.h"
#include "proto/heads.h"

namespace rowhouse::gateway {

struct Workbench {
  Workbench(uv_loop_t* loop, const Clock& clock) : turn(loop, clock) {}

  Deadlines deadlines;
  Turn turn;
  RequestIds request_ids;
  MimeTypes mime_types;
  std::array<HeadField, proto::kMaxFields> head_fields;
  EncoderRoom encoder;
  proto::FieldRoom response_fields;
};

}  // namespace rowhouse::gateway
