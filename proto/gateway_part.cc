#include "proto/gateway_part.h"

#include "proto/frames.h"

namespace rowhouse::proto {
namespace {

constexpr std::uint16_t kVersion = 2;

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void number(std::uint16_t value) { append_integer(out_, value); }
  void number(std::uint32_t value) { append_integer(out_, value); }
  void flag(bool value) { append_integer(out_, static_cast<std::uint8_t>(value ? 1 : 0)); }
  void text(const std::string& value) {
    fits_ = fits_ && value.size() <= 0xffff;
    append_text16(out_, value);
  }
  template <typename Item, typename Visit>
  void list(const std::vector<Item>& items, std::size_t cap, Visit visit) {
    fits_ = fits_ && items.size() <= cap;
    number(static_cast<std::uint16_t>(items.size()));
    for (const Item& item : items) visit(*this, item);
  }
  [[nodiscard]] bool fits() const { return fits_; }

 private:
  std::string& out_;
  bool fits_ = true;
};

class Reader {
 public:
  explicit Reader(ByteSpan bytes) : reader_(bytes) {}
  void number(std::uint16_t& value) { value = reader_.u16(); }
  void number(std::uint32_t& value) { value = reader_.u32(); }
  void flag(bool& value) {
    const std::uint8_t byte = reader_.u8();
    valid_ = valid_ && byte <= 1;
    value = byte == 1;
  }
  void text(std::string& value) { value = reader_.text16(); }
  template <typename Item, typename Visit>
  void list(std::vector<Item>& items, std::size_t cap, Visit visit) {
    const std::size_t count = reader_.u16();
    valid_ = valid_ && count <= cap;
    for (std::size_t i = 0; i < count && valid_ && reader_.ok(); ++i) visit(*this, items.emplace_back());
  }
  [[nodiscard]] bool valid() { return valid_ && reader_.done(); }

 private:
  ByteReader reader_;
  bool valid_ = true;
};

// The one order of the fields, for both directions.
template <typename Coder, typename Part>
void code(Coder& coder, Part& part) {
  coder.flag(part.buffering);
  coder.flag(part.buffer_responses);
  coder.flag(part.json_access_log);
  coder.list(part.statics, kMaxStaticsPerApp, [](auto& each, auto& item) {
    each.text(item.prefix);
    each.text(item.cache_control);
    each.text(item.index);
    each.flag(item.fallback);
  });
  coder.list(part.redirects, kMaxRoutesPerApp, [](auto& each, auto& item) {
    each.number(item.route);
    each.number(item.status);
    each.text(item.target);
    each.flag(item.keep_path);
  });
  coder.list(part.pages, kMaxErrorPages, [](auto& each, auto& item) {
    each.number(item.first_status);
    each.number(item.last_status);
    each.text(item.html);
  });
  coder.flag(part.compress.enabled);
  coder.flag(part.compress.with_cookies);
  coder.number(part.compress.min_bytes);
  coder.list(part.compress.types, kMaxCompressTypes, [](auto& each, auto& item) { each.text(item); });
}

}  // namespace

Result<std::string> encode_gateway_part(const GatewayPart& part) {
  std::string out;
  append_integer(out, kVersion);
  Writer writer(out);
  code(writer, part);
  if (!writer.fits() || out.size() > kMaxGatewayPartBytes) return make_error(ErrorCode::kTooLarge, "gateway part");
  return out;
}

Result<GatewayPart> parse_gateway_part(ByteSpan bytes) {
  GatewayPart part;
  if (bytes.size() > kMaxGatewayPartBytes) return make_error(ErrorCode::kTooLarge, "gateway part");
  Reader reader(bytes);
  std::uint16_t version = 0;
  reader.number(version);
  code(reader, part);
  if (!reader.valid() || version != kVersion) return make_error(ErrorCode::kInvalid, "gateway part");
  return part;
}

}  // namespace rowhouse::proto
