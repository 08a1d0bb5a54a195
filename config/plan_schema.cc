#include "config/plan_schema.h"

#include "config/map_reader.h"
#include "config/names.h"
#include "config/ranges.h"

namespace rowhouse::config {
namespace {

void read_memory_high(const MapReader& reader, proto::PlanRecord& plan) {
  reader.quantity("memory_high", parse_size, kMemory, plan.memory_high_bytes);
  if (plan.memory_bytes == 0 || plan.memory_high_bytes <= plan.memory_bytes) return;
  reader.diagnostics().add(reader.position_of("memory_high"),
                           "\"memory_high\" must not be more than \"memory\"");
}

void read_io(const Node& node, proto::PlanRecord& plan, Diagnostics& diagnostics) {
  const MapReader reader(node, kIoTable, diagnostics);
  reader.quantity("read", parse_size, kIoRate, plan.io_read_bytes);
  reader.quantity("write", parse_size, kIoRate, plan.io_write_bytes);
}

PlanEntry read_plan(const Node& node, Diagnostics& diagnostics) {
  const MapReader reader(node, kPlanTable, diagnostics);
  PlanEntry entry;
  proto::PlanRecord& plan = entry.record;
  plan.pids = 64;
  plan.workers = 2;
  plan.threads = 8;
  plan.concurrency = 20;
  plan.queue = 50;
  if (reader.require("memory") != nullptr) reader.quantity("memory", parse_size, kMemory, plan.memory_bytes);
  reader.quantity("cpu", parse_percent, kCpuPercent, plan.cpu_percent);
  reader.whole("pids", kPids, plan.pids);
  read_memory_high(reader, plan);
  reader.whole("cpu_weight", kWeight, plan.cpu_weight);
  reader.whole("io_weight", kWeight, plan.io_weight);
  if (const Node* io = reader.find("io")) read_io(*io, plan, diagnostics);
  reader.whole("workers", kWorkers, plan.workers);
  reader.whole("threads", kThreads, plan.threads);
  reader.whole("concurrency", kConcurrency, plan.concurrency);
  reader.whole("queue", kQueue, plan.queue);
  reader.quantity("rate", parse_rate, kRate, plan.rate);
  reader.whole("connections", kConnections, plan.connections);
  reader.quantity("bytes_out", parse_size, kBytesOut, plan.bytes_out);
  entry.network = read_network(reader);
  return entry;
}

}  // namespace

std::vector<PlanEntry> read_plans(const Node& node, std::size_t cap, Diagnostics& diagnostics) {
  std::vector<PlanEntry> plans;
  const Node* map = read_names(node, "\"plans\"", cap, diagnostics);
  if (map == nullptr) return plans;
  if (map->keys.empty()) diagnostics.add(node.position, "\"plans\" must have at least one plan");
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    plans.push_back(read_plan(map->children[i], diagnostics));
    const Parsed<std::string> name = parse_name(map->keys[i].name);
    if (name.ok()) {
      plans.back().record.name = proto::Name::cut(name.value());
    } else {
      diagnostics.add(map->keys[i].position, "a plan " + name.problem());
    }
  }
  return plans;
}

}  // namespace rowhouse::config
