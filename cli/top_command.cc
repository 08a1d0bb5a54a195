#include "cli/top_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "cli/api_client.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/top_screen.h"
#include "cli/top_table.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;
using Time = std::chrono::steady_clock;

// One status answer and when it came.
struct Snapshot {
  Reply reply;
  json status;
  Time::time_point at;
};

Snapshot look(const Invocation& invocation) {
  const Subject& subject = invocation.subject;
  std::string path = "/v1/status";
  if (!subject.tenant.empty()) path += "?tenant=" + subject.tenant;
  if (!subject.app.empty()) path += "&app=" + subject.app;
  Snapshot snapshot;
  snapshot.reply = ApiClient(invocation.socket).get(path);
  snapshot.at = Time::now();
  if (exit_code_of(snapshot.reply) == ExitCode::kDone) snapshot.status = json::parse(snapshot.reply.body, nullptr, false);
  return snapshot;
}

double seconds_between(const Snapshot& before, const Snapshot& now) {
  return std::max(1e-3, std::chrono::duration<double>(now.at - before.at).count());
}

ExitCode fail(const Invocation& invocation, const Snapshot& snapshot) {
  if (exit_code_of(snapshot.reply) != ExitCode::kDone) return report_failure(snapshot.reply, invocation.output);
  print_error("the daemon's answer is not valid JSON");
  return ExitCode::kFailed;
}

std::string headline(const std::vector<TopRow>& rows, TopOrder order, const std::string& trouble) {
  double requests = 0, cpu = 0;
  std::uint64_t queued = 0;
  for (const TopRow& row : rows) {
    requests += row.requests_per_s;
    cpu += row.cpu_percent;
    queued += row.queued;
  }
  return fmt::format("{} apps, {:.1f} requests/s, {} waiting, CPU {:.0f}%, by {}{}", rows.size(), requests, queued, cpu,
                     top_order_name(order), trouble.empty() ? "" : "; " + trouble);
}

constexpr const char* kKeys = "c CPU  m memory  r requests  l latency  i disk  u queue  n name  arrows  q quit";

std::optional<TopOrder> order_of_key(char key) {
  switch (key) {
    case 'c': return TopOrder::kCpu;
    case 'm': return TopOrder::kMemory;
    case 'r': return TopOrder::kRequests;
    case 'l': return TopOrder::kLatency;
    case 'i': return TopOrder::kIo;
    case 'u': return TopOrder::kQueue;
    case 'n': return TopOrder::kName;
    default: return std::nullopt;
  }
}

// The screen, its order and how far it is scrolled.
class LiveTop {
 public:
  LiveTop(const Invocation& invocation, Snapshot first, TopOrder order)
      : invocation_(invocation), last_(std::move(first)), order_(order) {}

  ExitCode run() {
    const std::chrono::seconds interval(invocation_.top.interval_s);
    // A first measurement soon, then at the asked pace.
    auto next = Time::now() + std::chrono::milliseconds(500);
    draw();
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - Time::now());
      const TopScreen::Event event = screen_.wait(std::max(std::chrono::milliseconds(0), left));
      if (event.kind == TopScreen::Event::Kind::kEnd || event.key == 'q') return ExitCode::kDone;
      if (event.kind == TopScreen::Event::Kind::kKey) on_key(event.key);
      if (event.kind == TopScreen::Event::Kind::kTime || event.key == ' ') {
        measure();
        next = Time::now() + interval;
      }
      draw();
    }
  }

 private:
  void on_key(char key) {
    if (const auto order = order_of_key(key)) order_ = *order;
    if (key == 'k' && first_ > 0) --first_;
    if (key == 'j' && first_ + 1 < rows_.size()) ++first_;
  }

  void measure() {
    Snapshot now = look(invocation_);
    if (!now.status.is_object()) {
      // It may be restarting: the last figures stay, and the line above says that they are old.
      trouble_ = "the daemon does not answer";
      return;
    }
    trouble_.clear();
    rows_ = measure_top(last_.status, now.status, seconds_between(last_, now));
    last_ = std::move(now);
  }

  void draw() {
    const Terminal terminal = look_at_terminal();
    sort_top(rows_, order_);
    first_ = std::min(first_, rows_.empty() ? 0 : rows_.size() - 1);
    std::vector<std::string> lines{cut_to_width(headline(rows_, order_, trouble_), terminal.width)};
    const std::vector<std::string> table = render_top(rows_, terminal);
    lines.push_back(table[0]);
    const std::size_t room = screen_.rows() > 3 ? screen_.rows() - 3 : 0;
    for (std::size_t i = 0; i < room && first_ + i + 1 < table.size(); ++i) lines.push_back(table[first_ + i + 1]);
    lines.push_back(terminal.paint(cut_to_width(kKeys, terminal.width), Colour::kDim));
    screen_.show(lines);
  }

  const Invocation& invocation_;
  Snapshot last_;
  TopOrder order_;
  TopScreen screen_;
  std::vector<TopRow> rows_;
  std::size_t first_ = 0;
  std::string trouble_;
};

ExitCode run_once(const Invocation& invocation, const Snapshot& first, TopOrder order) {
  std::this_thread::sleep_until(first.at + std::chrono::seconds(invocation.top.interval_s));
  const Snapshot now = look(invocation);
  if (!now.status.is_object()) return fail(invocation, now);
  const double seconds = seconds_between(first, now);
  std::vector<TopRow> rows = measure_top(first.status, now.status, seconds);
  sort_top(rows, order);
  if (invocation.output == Output::kJson) {
    print(top_json(rows, seconds).dump() + "\n");
    return ExitCode::kDone;
  }
  for (const std::string& line : render_top(rows, look_at_terminal())) print(line + "\n");
  return ExitCode::kDone;
}

}  // namespace

ExitCode run_top(const Invocation& invocation) {
  const TopOrder order = parse_top_order(invocation.top.order).value_or(TopOrder::kCpu);
  Snapshot first = look(invocation);
  if (!first.status.is_object()) return fail(invocation, first);
  const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  if (invocation.top.end == TopOptions::End::kOnce || !terminal) return run_once(invocation, first, order);
  return LiveTop(invocation, std::move(first), order).run();
}

}  // namespace rowhouse::cli
