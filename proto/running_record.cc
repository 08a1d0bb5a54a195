#include "proto/running_record.h"

#include <array>

#include "proto/frames.h"

namespace rowhouse::proto {
namespace {

constexpr std::uint16_t kVersion = 2;

template <typename Record>
auto texts_of(Record& record) {
  return std::array{&record.method, &record.path, &record.host, &record.request_id};
}

}  // namespace

void encode_running_record(std::string& out, const RunningRecord& record) {
  out.clear();
  append_integer(out, kVersion);
  for (const std::uint32_t number : {record.app, record.generation, record.worker}) append_integer(out, number);
  append_integer(out, static_cast<std::uint8_t>(record.phase));
  append_integer(out, static_cast<std::uint8_t>(record.client_gone ? 1 : 0));
  append_integer(out, record.at_ms);
  append_integer(out, record.running_ms);
  for (const std::string_view* text : texts_of(record)) append_text16(out, text->substr(0, kMaxRunningTextBytes));
}

Result<RunningRecord> parse_running_record(ByteSpan bytes) {
  ByteReader reader(bytes);
  RunningRecord record;
  const std::uint16_t version = reader.u16();
  for (std::uint32_t* number : {&record.app, &record.generation, &record.worker}) *number = reader.u32();
  const std::uint8_t phase = reader.u8();
  const std::uint8_t client_gone = reader.u8();
  record.at_ms = reader.integer<std::int64_t>();
  record.running_ms = reader.u32();
  for (std::string_view* text : texts_of(record)) *text = reader.text16();
  if (!reader.done() || version != kVersion || client_gone > 1 ||
      phase > static_cast<std::uint8_t>(last_value(RunningPhase{}))) {
    return make_error(ErrorCode::kInvalid, "running record");
  }
  record.phase = static_cast<RunningPhase>(phase);
  record.client_gone = client_gone == 1;
  return record;
}

bool is_running_record(ByteSpan bytes) {
  ByteReader reader(bytes);
  return reader.u16() == kVersion;
}

}  // namespace rowhouse::proto
