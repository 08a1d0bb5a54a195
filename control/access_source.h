// The receiving end of one gateway's access records: a seqpacket socket, one record a message.
#pragma once

#include <cstdint>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "proto/access_record.h"
#include "proto/running_record.h"

namespace rowhouse::control {

class AccessListener {
 public:
  virtual ~AccessListener() = default;
  // The record's texts are borrowed for the call.
  virtual void on_access_record(std::uint32_t gateway, const proto::AccessRecord& record) = 0;
  virtual void on_running_record(const proto::RunningRecord& record) = 0;
  virtual void on_access_turn_end() = 0;
  // The gateway has gone.  The source must be destroyed later, not during this call.
  virtual void on_access_closed(std::uint32_t gateway) = 0;
};

class AccessSource {
 public:
  static constexpr int kMaxTurnRecords = 256;

  // `socket` must not block.
  AccessSource(uv_loop_t* loop, UniqueFd socket, std::uint32_t gateway, AccessListener& listener);

 private:
  enum class ReadOutcome { kRecord, kRefused, kEmpty, kClosed };
  void on_readable();
  ReadOutcome read_record();
  ReadOutcome take_running(ByteSpan bytes);

  UniqueFd socket_;
  std::uint32_t gateway_;
  AccessListener& listener_;
  Poll poll_;
};

}  // namespace rowhouse::control
