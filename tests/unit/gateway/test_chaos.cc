// Many clients and workers that do all at once what the other tests do one by one: die, drain, cut answers,
// reset connections, send in pieces, pipeline.  Whatever happens, a complete answer is the answer to its own
// request.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "gateway_process.h"

using namespace rowhouse;
using namespace rowhouse::test;

namespace {

constexpr auto kDuration = std::chrono::seconds(5);
constexpr std::uint32_t kWorkersAtOnce = 3;

using Random = std::mt19937;

bool one_in(Random& random, unsigned count) {
  return random() % count == 0;
}

// The answer that belongs to a request: long for some, so that it spans several frames.
std::string answer_to(std::string_view path, std::string_view body) {
  std::string answer = std::string(path) + "|" + std::to_string(std::hash<std::string_view>{}(body)) + "|";
  const std::size_t pad = std::hash<std::string_view>{}(path) % 7 == 0 ? 150'000 : 10;
  answer.append(pad, static_cast<char>('a' + path.size() % 26));
  return answer;
}

// Serves until it decides to die.
class ChaosWorker {
 public:
  ChaosWorker(FakeWorker channel, unsigned seed) : worker_(std::move(channel)), random_(seed) {}

  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      const OwnedFrame frame = worker_.next(50);
      if (frame.type == proto::FrameType::kRequest) on_request(frame);
      if (frame.type == proto::FrameType::kBody) on_body(frame);
      if (frame.type == proto::FrameType::kAbort) on_abort(frame);
      if (frame.type == proto::FrameType::kCredit) on_credit(frame);
      if (one_in(random_, 400)) {
        worker_.close();
        return;
      }
      if (one_in(random_, 400)) {
        drain();
        return;
      }
    }
  }

 private:
  struct Running {
    std::string path;
    std::string body;
    std::string left;  // of the answer
    std::size_t window = proto::kStreamWindowBytes;
    bool answering = false;
  };

  void on_request(const OwnedFrame& frame) {
    proto::FieldRoom room;
    const auto head = proto::parse_request(as_bytes(frame.payload), room);
    if (!head.ok()) throw std::runtime_error("bad REQUEST");
    streams_[frame.stream].path = std::string(head.value().target);
    last_ = frame.stream;
    if (!frame.last() || head.value().method == proto::Method::kPost) worker_.start(frame.stream);
    if (frame.last()) answer(frame.stream);
  }
  void on_body(const OwnedFrame& frame) {
    const auto found = streams_.find(frame.stream);
    if (found == streams_.end()) return;
    found->second.body += frame.payload;
    if (frame.last()) {
      answer(frame.stream);
    } else {
      std::string credit;
      proto::append_credit(credit, frame.stream, static_cast<std::uint32_t>(frame.payload.size()));
      worker_.send(credit);
    }
  }
  void on_abort(const OwnedFrame& frame) {
    if (streams_.erase(frame.stream) > 0) worker_.end(frame.stream);
  }
  void on_credit(const OwnedFrame& frame) {
    const auto found = streams_.find(frame.stream);
    if (found == streams_.end()) return;
    found->second.window += proto::parse_credit(as_bytes(frame.payload)).value();
    send_more(frame.stream);
  }
  void answer(std::uint32_t stream) {
    Running& running = streams_.at(stream);
    running.left = answer_to(running.path, running.body);
    running.answering = true;
    const bool with_length = one_in(random_, 2);
    worker_.respond_head(
        stream, 200,
        with_length ? std::vector<std::pair<std::string, std::string>>{{"Content-Length",
                                                                        std::to_string(running.left.size())}}
                    : std::vector<std::pair<std::string, std::string>>{});
    if (one_in(random_, 50)) {
      std::string abort;
      proto::append_abort(abort, stream, proto::AbortReason::kAppFailedAfterHead);
      worker_.send(abort);
      streams_.erase(stream);
      return;
    }
    send_more(stream);
  }
  void send_more(std::uint32_t stream) {
    Running& running = streams_.at(stream);
    if (!running.answering) return;
    const std::size_t size = std::min(running.left.size(), running.window);
    worker_.data(stream, std::string_view(running.left).substr(0, size));
    running.window -= size;
    running.left.erase(0, size);
    if (!running.left.empty()) return;
    worker_.end(stream, random_() % 20);
    streams_.erase(stream);
  }
  // Takes no more, finishes what it has, and goes.
  void drain() {
    const std::uint32_t last = last_;
    std::string out;
    proto::append_drain(out, last);
    worker_.send(out);
    for (int i = 0; i < 200 && !streams_.empty(); ++i) {
      const OwnedFrame frame = worker_.next(50);
      if (frame.type == proto::FrameType{}) break;
      if (frame.type == proto::FrameType::kBody) on_body(frame);
      if (frame.type == proto::FrameType::kAbort) on_abort(frame);
      if (frame.type == proto::FrameType::kCredit) on_credit(frame);
    }
    worker_.close();
  }

  FakeWorker worker_;
  Random random_;
  std::uint32_t last_ = 0;
  std::map<std::uint32_t, Running> streams_;
};

struct Counts {
  std::atomic<unsigned> complete = 0, refused = 0, cut = 0, wrong = 0;
};

struct Sent {
  std::string method, path, body;
};

Sent send_one(HttpClient& client, Random& random, unsigned client_number, unsigned number) {
  Sent sent{one_in(random, 3) ? "POST" : "GET",
            "/" + std::to_string(client_number) + "/" + std::to_string(number), ""};
  std::string head = sent.method + " " + sent.path + " HTTP/1.1\r\nHost: a.example\r\n";
  if (sent.method == "POST") {
    sent.body.assign(random() % (one_in(random, 10) ? 400'000 : 200), static_cast<char>('a' + number % 26));
    if (one_in(random, 2)) {
      head += "Content-Length: " + std::to_string(sent.body.size()) + "\r\n\r\n" + sent.body;
    } else {
      char size[32];
      std::snprintf(size, sizeof size, "%zx", sent.body.size());
      head += "Transfer-Encoding: chunked\r\n\r\n";
      if (!sent.body.empty()) head += std::string(size) + "\r\n" + sent.body + "\r\n";
      head += "0\r\n\r\n";
    }
  } else {
    head += "\r\n";
  }
  while (!head.empty()) {
    const std::size_t part = one_in(random, 4) ? 1 + random() % head.size() : head.size();
    client.send(std::string_view(head).substr(0, part));
    head.erase(0, part);
  }
  return sent;
}

// False when the connection is of no more use.
bool check_one(HttpClient& client, const Sent& sent, Counts& counts) {
  const HttpAnswer answer = client.read_answer(sent.method);
  if (!answer.complete) {
    ++counts.cut;
    return false;
  }
  if (answer.status == 200) {
    ++(answer.body == answer_to(sent.path, sent.body) ? counts.complete : counts.wrong);
  } else {
    ++(answer.status == 502 || answer.status == 503 ? counts.refused : counts.wrong);
  }
  return answer.field("Connection") != "close";
}

void run_client(const GatewayProcess& gateway, unsigned client_number, const std::atomic<bool>& stop,
                Counts& counts) {
  Random random(client_number);
  unsigned number = 0;
  while (!stop) {
    try {
      HttpClient client = gateway.connect();
      bool usable = true;
      while (usable && !stop) {
        std::vector<Sent> sent;
        const unsigned together = one_in(random, 4) ? 3 : 1;
        for (unsigned i = 0; i < together; ++i)
          sent.push_back(send_one(client, random, client_number, ++number));
        if (one_in(random, 30)) {
          client.reset();
          break;
        }
        for (const Sent& one : sent) usable = usable && check_one(client, one, counts);
      }
    } catch (const std::runtime_error&) {
      // The gateway closed while we were sending; the next connection will do.
    }
  }
}

// A gateway blames a worker whose channel has ended and whose death is not told within seconds.
template <typename TakeDead>
void tell_last_deaths(GatewayProcess& gateway, const std::atomic<std::uint32_t>& serving,
                      TakeDead take_dead) {
  bool all_gone = false;
  while (!all_gone) {
    all_gone = serving == 0;
    for (const std::uint32_t id : take_dead()) gateway.worker_gone(id);
    gateway.settle();
  }
}

}  // namespace

TEST_CASE("through deaths, drains and resets, a complete answer belongs to its request") {
  GatewayProcess gateway;
  gateway.add_app({.queue_ms = 30'000, .queue = 1000});
  const std::size_t before = gateway.open_descriptors();
  std::atomic<bool> stop = false;
  Counts counts;
  std::mutex mutex;
  std::vector<std::uint32_t> dead;
  std::vector<std::thread> threads;
  std::uint32_t next_worker = 0;
  std::atomic<std::uint32_t> serving = 0;
  const auto add_worker = [&] {
    const std::uint32_t id = ++next_worker;
    ++serving;
    threads.emplace_back([&, id, channel = gateway.add_worker(id, 1 + id % 4)]() mutable {
      ChaosWorker(std::move(channel), id).run(stop);
      const std::lock_guard lock(mutex);
      dead.push_back(id);
      --serving;
    });
  };
  const auto take_dead = [&] {
    const std::lock_guard lock(mutex);
    return std::exchange(dead, {});
  };
  for (std::uint32_t i = 0; i < kWorkersAtOnce; ++i) add_worker();
  for (unsigned i = 0; i < 12; ++i) {
    threads.emplace_back([&, i] { run_client(gateway, i, stop, counts); });
  }
  const auto until = std::chrono::steady_clock::now() + kDuration;
  while (std::chrono::steady_clock::now() < until) {
    for (const std::uint32_t id : take_dead()) {
      add_worker();
      gateway.worker_gone(id);
    }
    gateway.settle();
  }
  stop = true;
  tell_last_deaths(gateway, serving, take_dead);
  for (std::thread& thread : threads) thread.join();
  MESSAGE("complete ", counts.complete.load(), ", refused ", counts.refused.load(), ", cut ",
          counts.cut.load(), ", workers ", next_worker);
  CHECK(counts.wrong == 0);
  CHECK(counts.complete > 100);
  CHECK(next_worker > kWorkersAtOnce);
  gateway.settle();
  CHECK_FALSE(gateway.has_message());  // no worker was blamed
  const proto::AppCell& cell = gateway.table().apps[7][0];
  CHECK(cell.in_flight.load() == 0);
  gateway.send(proto::AppRemove{7});
  gateway.settle();
  CHECK(cell.queued.load() == 0);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (gateway.open_descriptors() != before && std::chrono::steady_clock::now() < patience)
    gateway.settle();
  CHECK(gateway.open_descriptors() == before);
}
