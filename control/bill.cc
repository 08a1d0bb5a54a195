#include "control/bill.h"

#include <algorithm>
#include <numeric>

#include "control/ending_text.h"
#include "proto/causes.h"

namespace rowhouse::control {
namespace {

void add_fault(Bill& bill, std::string_view kind, std::uint64_t count) {
  if (count != 0) bill.faults[std::string(kind)] += count;
}

}  // namespace

void Bill::add(const Bill& other) {
  cpu_us += other.cpu_us;
  memory_byte_seconds += other.memory_byte_seconds;
  requests += other.requests;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  read_bytes += other.read_bytes;
  written_bytes += other.written_bytes;
  workers_peak = std::max(workers_peak, other.workers_peak);
  memory_peak = std::max(memory_peak, other.memory_peak);
  processes_peak = std::max(processes_peak, other.processes_peak);
  in_flight_peak = std::max(in_flight_peak, other.in_flight_peak);
  for (const auto& [kind, count] : other.faults) faults[kind] += count;
}

void bill_app(const Counts& grown, Bill& bill) {
  const auto classes = grown.begin() + proto::kClassCounts;
  bill.requests += std::accumulate(classes, classes + proto::kClasses, std::uint64_t{0});
  bill.bytes_in += grown[proto::kBytesInCount];
  bill.bytes_out += grown[proto::kBytesOutCount];
  for (const proto::Cause cause : proto::kCountedRefusals) {
    add_fault(bill, proto::cause_name(cause), grown[proto::refusal_count(cause)]);
  }
  for (std::size_t number = 0; number < kEndings; ++number) {
    const auto cause = static_cast<proto::Cause>(number);
    // A worker that ran too long for one request took that request with it, which the gateway has counted.
    if (is_planned_ending(cause) || cause == proto::Cause::kRequestTimeout) continue;
    add_fault(bill, proto::cause_name(cause), grown[kEndingCounts + number]);
  }
}

void bill_tenant(const Counts& grown, Bill& bill) {
  bill.cpu_us += grown[kCpuCount];
  bill.read_bytes += grown[kReadBytes];
  bill.written_bytes += grown[kWrittenBytes];
  add_fault(bill, kThrottledFault, grown[kThrottledPeriods]);
  add_fault(bill, kOomFault, grown[kOomKills]);
  add_fault(bill, kForkFault, grown[kForksRefused]);
}

}  // namespace rowhouse::control
