#include "config/plan_schema.h"

#include "config/map_reader.h"
#include "config/names.h"
#include "config/ranges.h"

namespace rowhouse::config {
namespace {

proto::PlanRecord read_plan(const Node& node, Diagnostics& diagnostics) {
  const MapReader reader(node, kPlanTable, diagnostics);
  proto::PlanRecord plan;
  plan.pids = 64;
  plan.workers = 2;
  plan.threads = 8;
  plan.concurrency = 20;
  plan.queue = 50;
  if (reader.require("memory") != nullptr) reader.quantity("memory", parse_size, kMemory, plan.memory_bytes);
  reader.quantity("cpu", parse_percent, kCpuPercent, plan.cpu_percent);
  reader.whole("pids", kPids, plan.pids);
  reader.whole("workers", kWorkers, plan.workers);
  reader.whole("threads", kThreads, plan.threads);
  reader.whole("concurrency", kConcurrency, plan.concurrency);
  reader.whole("queue", kQueue, plan.queue);
  return plan;
}

}  // namespace

std::vector<proto::PlanRecord> read_plans(const Node& node, std::size_t cap, Diagnostics& diagnostics) {
  std::vector<proto::PlanRecord> plans;
  const Node* map = read_names(node, "\"plans\"", cap, diagnostics);
  if (map == nullptr) return plans;
  if (map->keys.empty()) diagnostics.add(node.position, "\"plans\" must have at least one plan");
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    plans.push_back(read_plan(map->children[i], diagnostics));
    const Parsed<std::string> name = parse_name(map->keys[i].name);
    if (name.ok()) {
      plans.back().name = proto::Name::cut(name.value());
    } else {
      diagnostics.add(map->keys[i].position, "a plan " + name.problem());
    }
  }
  return plans;
}

}  // namespace rowhouse::config
