// What all requests of one gateway process work with: time, deadlines, and room that is used and left again
// within one event.
#pragma once

#include <array>

#include "gateway/body_store.h"
#include "gateway/deadlines.h"
#include "gateway/file_jobs.h"
#include "gateway/head_rules.h"
#include "gateway/mime.h"
#include "gateway/request_encoder.h"
#include "gateway/request_ids.h"
#include "gateway/turn.h"
#include "gateway/turn_shares.h"
#include "proto/heads.h"

namespace rowhouse::gateway {

class AccessLog;

struct Workbench {
  Workbench(uv_loop_t* loop, const Clock& clock) : turn(loop, clock), file_jobs(loop, mime_types) {}

  Deadlines deadlines;
  Turn turn;
  TurnShares turn_shares;
  RequestIds request_ids;
  MimeTypes mime_types;
  FileJobs file_jobs;
  BodyBudgets bodies;
  int spool = -1;  // directory for large bodies; -1: none
  std::array<HeadField, proto::kMaxFields> head_fields;
  EncoderRoom encoder;
  proto::FieldRoom response_fields;
  AccessLog* access_log = nullptr;  // from GatewaySetup on
};

}  // namespace rowhouse::gateway
