// The gateway's whole side of its workers - frames, streams, exchanges, the app's queue - against workers,
// clients and a clock that do anything.  An input is a list of steps, one byte each with what it needs after
// it:
//   0 a worker sends so many bytes (u16)      1 a request comes          2 a client gives up
//   3 a client sends some of its body         4 a client takes all       5 time passes
//   6 a worker dies and another one comes     7 a worker takes what the gateway wrote
// Every request ends exactly once, nothing is heard before its head or after its end, no answer is longer
// than it says, and nothing is left when the workers are gone.
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/message_socket.h"
#include "gateway/app.h"
#include "gateway/caps.h"
#include "gateway/exchange.h"
#include "tests/fuzz/require.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kMaxClients = 24;
constexpr std::uint32_t kRow = 1;
constexpr std::uint64_t kMaxBody = 1 << 20;

constexpr std::array<std::string_view, 4> kRequests = {
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
};

class Steps {
 public:
  explicit Steps(ByteSpan bytes) : left_(bytes) {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t next() {
    if (left_.empty()) return 0;
    const std::uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte;
  }
  ByteSpan take() {
    const std::size_t low = next();
    const std::size_t size = std::min(low | std::size_t{next()} << 8, left_.size());
    const ByteSpan taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

 private:
  ByteSpan left_;
};

// Keeps what ExchangeClient promises.
class Client final : private ExchangeClient {
 public:
  Client(Workbench& bench, App& app, std::string_view block) : exchange_(bench, *this) {
    exchange_.reset();
    Request& request = exchange_.request();
    request.block = block;
    request.path = "/a";
    const auto checked = check_head(request.block, bench.head_fields);
    const auto& head = *std::get_if<CheckedHead>(&checked);
    describe_request(request, head);
    if (request.has_body())
      body_left_ = head.framing == BodyFraming::kLength ? head.content_length : kMaxBody;
    running_ = !exchange_.begin(app, 0, head, {}).has_value();
  }
  ~Client() override { require(!running_, "a request ends before its client does"); }

  void give_up() {
    exchange_.abandon();
    running_ = false;
  }
  void send_body(std::size_t most) {
    const std::size_t size = std::min({most, exchange_.body_room(), static_cast<std::size_t>(body_left_)});
    if (!running_ || size == 0) return;
    body_left_ -= size;
    const std::string bytes(size, 'b');
    exchange_.send_body(bytes, body_left_ == 0 ? proto::BodyPart::kLast : proto::BodyPart::kMore);
  }
  void take() {
    if (running_) exchange_.note_unsent(0);
  }

 private:
  void on_tunnel(const proto::ResponseHead&) override {
    require(running_ && !responded_, "one head, before the end");
    responded_ = true;
  }
  void on_response(const proto::ResponseHead& head, const CheckedResponse& checked) override {
    require(running_ && !responded_, "one head, before the end");
    require(head.status >= 200 && head.status <= 599, "a status that HTTP has");
    responded_ = true;
    const Request& request = exchange_.request();
    has_length_ = checked.has_length && !request.is_head() && head.status != 204 && head.status != 304;
    left_ = checked.length;
  }
  void on_response_data(std::string_view bytes) override {
    require(running_ && responded_, "body after the head and before the end");
    require(!has_length_ || bytes.size() <= left_, "no more body than was said");
    left_ -= bytes.size();
  }
  void on_response_end() override {
    require(!has_length_ || left_ == 0, "no less body than was said");
    require(responded_, "an answer has a head");
    finish();
  }
  void on_response_cut() override {
    require(responded_, "only what has begun can be cut");
    finish();
  }
  void on_refused(const Refusal& refusal) override {
    require(!responded_ && refusal.status >= 400, "a refusal instead of an answer");
    finish();
  }
  void on_body_wanted() override {}
  void finish() {
    require(running_, "a request ends once");
    running_ = false;
  }

  Exchange exchange_;
  bool running_ = false;
  bool responded_ = false;
  bool has_length_ = false;
  std::uint64_t left_ = 0;
  std::uint64_t body_left_ = 0;
};

ShareTable& shares() {
  static ShareTable table;
  static const bool mapped = [] {
    const UniqueFd memory(::memfd_create("shares", MFD_CLOEXEC));
    require(::ftruncate(memory.get(), sizeof(proto::SharedTable)) == 0, "memory for the shared table");
    return table.map(memory.get(), 0, 1).ok();
  }();
  require(mapped, "the shared table is mapped");
  return table;
}

class World final : private AppListener {
 public:
  World()
      : bench_(loop_.get(), clock_),
        app_(std::make_unique<App>(bench_, 7, static_cast<AppListener&>(*this))) {
    using std::chrono::seconds;
    app_->set_limits({kMaxBody, seconds(10), seconds(10), 8, 8}, shares().app(kRow));
    for (std::size_t i = 0; i < kWorkers; ++i) add_worker(i);
    app_->switch_to(1);
    turn();
  }
  ~World() override {
    app_->remove();
    turn();
    require(shares().app(kRow).in_flight() == 0, "nothing runs when no worker is left");
    require(shares().app(kRow).queued() == 0, "nothing waits for a removed app");
    clients_.clear();
    app_.reset();
    turn();
    bench_.turn.empty_graves();
  }

  void step(Steps& steps) {
    const std::uint8_t kind = steps.next();
    const std::uint8_t which = steps.next();
    switch (kind % 8) {
      case 0: send(which % kWorkers, steps.take()); break;
      case 1: add_client(kRequests[which % kRequests.size()]); break;
      case 2: with_client(which, [](Client& client) { client.give_up(); }); break;
      case 3:
        with_client(which, [&](Client& client) { client.send_body(std::size_t{steps.next()} << 9); });
        break;
      case 4: with_client(which, [](Client& client) { client.take(); }); break;
      case 5: clock_.advance(std::chrono::milliseconds(which * 50)); break;
      case 6: replace_worker(which % kWorkers); break;
      case 7: read_all(which % kWorkers); break;
    }
    turn();
  }

 private:
  struct Place {
    UniqueFd end;
    std::uint32_t id = 0;
  };

  void on_worker_fault(const WorkerIdentity& worker, proto::FaultKind) override {
    require(worker.app == 7 && worker.generation == 1, "the fault of a worker that exists");
  }

  void on_app_wanted(std::uint32_t app) override { require(app == 7, "the app that exists is wanted"); }
  void on_probed(const proto::Probed&) override { require(false, "nobody asked"); }

  void add_worker(std::size_t place) {
    auto pair = create_stream_pair();
    require(pair.ok(), "a pair of sockets");
    places_[place] = {std::move(pair.value().ours), ++last_worker_};
    app_->add_worker({7, 1, last_worker_, 2}, shares().worker(static_cast<std::uint32_t>(place)),
                     std::move(pair.value().theirs));
  }
  void replace_worker(std::size_t place) {
    require(app_->remove_worker(1, places_[place].id), "a worker that exists");
    turn();
    add_worker(place);
  }
  void send(std::size_t place, ByteSpan bytes) {
    [[maybe_unused]] const ssize_t sent =
        ::send(places_[place].end.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  void read_all(std::size_t place) {
    static std::array<char, 65536> room;
    while (::recv(places_[place].end.get(), room.data(), room.size(), MSG_DONTWAIT) > 0) {
    }
  }
  void add_client(std::string_view block) {
    if (clients_.size() < kMaxClients) clients_.push_back(std::make_unique<Client>(bench_, *app_, block));
  }
  template <typename Action>
  void with_client(std::size_t which, Action action) {
    if (!clients_.empty()) action(*clients_[which % clients_.size()]);
  }
  void turn() {
    bench_.turn.refresh();
    bench_.deadlines.expire(bench_.turn.now());
    for (int i = 0; i < 2; ++i) uv_run(loop_.get(), UV_RUN_NOWAIT);
    bench_.turn.finish();
  }

  ManualClock clock_;
  Loop loop_;
  Workbench bench_;
  std::unique_ptr<App> app_;
  std::array<Place, kWorkers> places_;
  std::uint32_t last_worker_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace
}  // namespace rowhouse::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  rowhouse::gateway::Steps steps({bytes, size});
  rowhouse::gateway::World world;
  while (!steps.empty()) world.step(steps);
  return 0;
}
