#include "proto/access_record.h"

#include <array>

#include "proto/frames.h"

namespace rowhouse::proto {
namespace {

constexpr std::uint16_t kVersion = 3;

template <typename Record>
auto texts_of(Record& record) {
  return std::array{&record.method,  &record.target,     &record.host,      &record.remote_address,
                    &record.referer, &record.user_agent, &record.request_id};
}

}  // namespace

void encode_access_record(std::string& out, const AccessRecord& record) {
  out.clear();
  append_integer(out, kVersion);
  append_integer(out, record.app);
  append_integer(out, record.status);
  append_integer(out, static_cast<std::uint16_t>(record.cause));
  append_integer(out, static_cast<std::uint8_t>(record.client_aborted ? 1 : 0));
  append_integer(out, record.at_ms);
  append_integer(out, record.bytes_in);
  append_integer(out, record.bytes_out);
  for (const std::uint32_t us : {record.gateway_us, record.queue_us, record.app_us, record.total_us,
                                 record.cpu_us, record.gil_wait_us}) {
    append_integer(out, us);
  }
  append_integer(out, record.error_id);
  append_integer(out, record.dropped);
  append_integer(out, record.version);
  append_integer(out, static_cast<std::uint8_t>(record.format));
  for (const std::string_view* text : texts_of(record)) append_text16(out, text->substr(0, kMaxAccessTextBytes));
}

Result<AccessRecord> parse_access_record(ByteSpan bytes) {
  ByteReader reader(bytes);
  AccessRecord record;
  const std::uint16_t version = reader.u16();
  record.app = reader.u32();
  record.status = reader.u16();
  const std::uint16_t cause = reader.u16();
  const std::uint8_t aborted = reader.u8();
  record.at_ms = reader.integer<std::int64_t>();
  record.bytes_in = reader.u64();
  record.bytes_out = reader.u64();
  for (std::uint32_t* us : {&record.gateway_us, &record.queue_us, &record.app_us, &record.total_us,
                            &record.cpu_us, &record.gil_wait_us}) {
    *us = reader.u32();
  }
  record.error_id = reader.u64();
  record.dropped = reader.u64();
  record.version = reader.u8();
  const std::uint8_t format = reader.u8();
  for (std::string_view* text : texts_of(record)) *text = reader.text16();
  if (!reader.done() || version != kVersion || !is_cause(cause) || aborted > 1 ||
      format > static_cast<std::uint8_t>(last_value(AccessFormat{}))) {
    return make_error(ErrorCode::kInvalid, "access record");
  }
  record.cause = static_cast<Cause>(cause);
  record.client_aborted = aborted == 1;
  record.format = static_cast<AccessFormat>(format);
  return record;
}

}  // namespace rowhouse::proto
