#include "proto/lifeline.h"

namespace rowhouse::proto {
namespace {

constexpr std::uint16_t kVersion = 1;

bool is_known(std::uint16_t type) {
  switch (static_cast<LifelineType>(type)) {
    case LifelineType::kBorn:
    case LifelineType::kReady:
    case LifelineType::kFailed:
    case LifelineType::kSeccomp:
    case LifelineType::kDrained:
    case LifelineType::kGo:
    case LifelineType::kChannel:
    case LifelineType::kDrain:
    case LifelineType::kFork:
    case LifelineType::kLog: return true;
  }
  return false;
}

std::size_t descriptors_of(LifelineType type) {
  if (type == LifelineType::kFork) return 2;
  return type == LifelineType::kChannel || type == LifelineType::kLog ? 1 : 0;
}

}  // namespace

LifelineBytes encode_lifeline(const LifelineRecord& record) {
  LifelineBytes bytes{};
  ByteWriter writer(bytes);
  writer.u16(static_cast<std::uint16_t>(record.type));
  writer.u16(kVersion);
  writer.u32(record.number);
  writer.u64(0);
  return bytes;
}

Result<LifelineRecord> decode_lifeline(ByteSpan bytes) {
  ByteReader reader(bytes);
  const std::uint16_t type = reader.u16();
  const std::uint16_t version = reader.u16();
  const std::uint32_t number = reader.u32();
  const std::uint64_t tail = reader.u64();
  if (!reader.done() || !is_known(type) || version != kVersion || tail != 0) {
    return make_error(ErrorCode::kInvalid, "lifeline record");
  }
  return LifelineRecord{static_cast<LifelineType>(type), number};
}

Status send_lifeline(int socket, const LifelineRecord& record, std::span<const int> descriptors) {
  if (descriptors.size() != descriptors_of(record.type)) return make_error(ErrorCode::kInvalid, "send_lifeline");
  return send_message(socket, encode_lifeline(record), descriptors);
}

}  // namespace rowhouse::proto
