#include "proto/worker_part.h"

#include <array>

#include "proto/frames.h"

namespace rowhouse::proto {
namespace {

constexpr std::uint16_t kVersion = 1;

template <typename Part>
auto strings_of(Part& part) {
  return std::array{&part.tenant,    &part.app,        &part.module, &part.attribute, &part.home,
                    &part.directory, &part.virtualenv, &part.python};
}

// A part of one of the others has none of its own.
enum class Place : std::uint8_t { kFirst, kOther };

bool is_carried(std::string_view text) {
  return text.size() <= 0xffff && text.find('\0') == std::string_view::npos;
}

Result<std::string> encode(const WorkerPart& part) {
  std::string out;
  append_integer(out, kVersion);
  append_integer(out, part.threads);
  append_integer(out, static_cast<std::uint8_t>(
                          static_cast<unsigned>(part.kind) | static_cast<unsigned>(part.interface) << 1 |
                          static_cast<unsigned>(part.role) << 3 | static_cast<unsigned>(part.gil) << 4));
  bool carried = part.environment.size() <= 0xffff;
  for (const std::string* text : strings_of(part)) {
    carried = carried && is_carried(*text);
    append_text16(out, *text);
  }
  append_integer(out, static_cast<std::uint16_t>(part.environment.size()));
  for (const auto& [name, value] : part.environment) {
    carried = carried && is_carried(name) && is_carried(value);
    append_text16(out, name);
    append_text16(out, value);
  }
  if (!carried) return make_error(ErrorCode::kTooLarge, "worker part");
  return out;
}

Result<WorkerPart> parse(ByteSpan bytes, Place place);

Status parse_others(ByteReader& reader, WorkerPart& part) {
  const std::size_t count = reader.u16();
  if (count == 0 || count >= kMaxAppsPerShare) return make_error(ErrorCode::kInvalid, "worker part");
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = reader.u32();
    RH_ASSIGN(WorkerPart other, parse(reader.bytes(size), Place::kOther));
    part.others.push_back(std::move(other));
  }
  return {};
}

Result<WorkerPart> parse(ByteSpan bytes, Place place) {
  ByteReader reader(bytes);
  WorkerPart part;
  const std::uint16_t version = reader.u16();
  part.threads = reader.u16();
  const std::uint8_t kind = reader.u8();
  for (std::string* text : strings_of(part)) *text = reader.text16();
  const std::size_t count = reader.u16();
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    std::string name(reader.text16());
    part.environment.emplace_back(std::move(name), reader.text16());
  }
  if (reader.ok() && reader.remaining() > 0 && place == Place::kFirst) RH_TRY(parse_others(reader, part));
  const unsigned interface = (kind >> 1) & 3U;
  const bool valid = version == kVersion && (kind & 0xe0U) == 0 && interface <= 2 && part.threads >= 1 &&
                     part.threads <= kMaxThreads;
  if (!reader.done() || !valid) return make_error(ErrorCode::kInvalid, "worker part");
  part.kind = static_cast<CallableKind>(kind & 1U);
  part.interface = static_cast<Interface>(interface);
  part.role = static_cast<CallableRole>((kind >> 3) & 1U);
  part.gil = static_cast<GilOwner>((kind >> 4) & 1U);
  for (const std::string* text : strings_of(part)) {
    if (text->find('\0') != std::string::npos) return make_error(ErrorCode::kInvalid, "worker part");
  }
  return part;
}

}  // namespace

Result<std::string> encode_worker_part(const WorkerPart& part) {
  RH_ASSIGN(std::string out, encode(part));
  if (part.others.size() >= kMaxAppsPerShare) return make_error(ErrorCode::kTooLarge, "worker part");
  if (!part.others.empty()) append_integer(out, static_cast<std::uint16_t>(part.others.size()));
  for (const WorkerPart& other : part.others) {
    RH_ASSIGN(const std::string bytes, encode(other));
    append_integer(out, static_cast<std::uint32_t>(bytes.size()));
    out += bytes;
  }
  if (out.size() > kMaxWorkerPartBytes) return make_error(ErrorCode::kTooLarge, "worker part");
  return out;
}

Result<WorkerPart> parse_worker_part(ByteSpan bytes) {
  return parse(bytes, Place::kFirst);
}

}  // namespace rowhouse::proto
