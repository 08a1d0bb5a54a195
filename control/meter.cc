#include "control/meter.h"

#include <algorithm>

namespace rowhouse::control {
namespace {

constexpr std::uint8_t kEncoding = 1;

// LEB128: seven bits a byte, the lowest first.
void append_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(0x80 | (number & 0x7f)));
  out.push_back(static_cast<char>(number));
}

std::optional<std::uint64_t> take_number(ByteReader& reader) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = reader.u8();
    if (!reader.ok()) return std::nullopt;
    number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return number;
  }
  return std::nullopt;
}

}  // namespace

void Meter::advance(Source source, std::uint64_t epoch, std::size_t first, std::span<const std::uint64_t> readings,
                    Counts& grown) {
  std::uint64_t& known = epochs_[static_cast<std::size_t>(source)];
  const bool anew = source != Source::kNone && epoch != known;
  known = epoch;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    std::uint64_t& last = last_[first + i];
    if (anew) last = 0;
    if (readings[i] == proto::kUnknownCount) continue;
    const std::uint64_t more = readings[i] > last ? readings[i] - last : 0;
    // Of one epoch, less than before cannot be: a group that is half removed says so, and it is nothing new.
    last = source == Source::kNone ? readings[i] : std::max(last, readings[i]);
    totals_[first + i] += more;
    grown[first + i] += more;
  }
}

void Meter::add(std::size_t place, Counts& grown) {
  ++totals_[place];
  ++grown[place];
}

void Meter::take_usage(const proto::Usage& usage, Counts& grown) {
  const std::array<std::uint64_t, 5> of_group{usage.cpu_us, usage.throttled_periods, usage.throttled_us,
                                              usage.io_read_bytes, usage.io_write_bytes};
  advance(Source::kGroup, usage.epoch, kCpuCount, of_group, grown);
  const std::array<std::uint64_t, 2> of_leaves{usage.oom_kills, usage.forks_refused};
  advance(Source::kNone, 0, kOomKills, of_leaves, grown);
}

void Meter::take_traffic(const proto::AppTraffic& traffic, Counts& grown) {
  std::array<std::uint64_t, proto::kTrafficCounts> readings{};
  for (std::size_t i = 0; i < readings.size(); ++i) readings[i] = traffic.count(i);
  advance(Source::kTraffic, traffic.epoch, 0, readings, grown);
}

std::string Meter::encode() const {
  std::string out(1, static_cast<char>(kEncoding));
  for (const std::uint64_t epoch : epochs_) append_number(out, epoch);
  for (const Counts* counts : {&last_, &totals_}) {
    append_number(out, counts->size());
    for (const std::uint64_t count : *counts) append_number(out, count);
  }
  return out;
}

std::optional<Meter> Meter::decode(std::string_view bytes) {
  ByteReader reader(as_bytes(bytes));
  Meter meter;
  if (reader.u8() != kEncoding) return std::nullopt;
  for (std::uint64_t& epoch : meter.epochs_) {
    const auto number = take_number(reader);
    if (!number) return std::nullopt;
    epoch = *number;
  }
  for (Counts* counts : {&meter.last_, &meter.totals_}) {
    const auto size = take_number(reader);
    if (!size || *size != counts->size()) return std::nullopt;
    for (std::uint64_t& count : *counts) {
      const auto number = take_number(reader);
      if (!number) return std::nullopt;
      count = *number;
    }
  }
  if (!reader.done()) return std::nullopt;
  return meter;
}

}  // namespace rowhouse::control
