// The stories of all apps on disk, LOGS/_history/TENANT/APP.jsonl: the last kKeptStories deaths of each and its last
// good start.  A death is acknowledged when its story is there.  What gateways say about the requests that a worker
// had may come before or after the death, and is joined both ways.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "control/log_directory.h"
#include "control/story.h"

namespace rowhouse::control {

struct LastStart {
  std::uint32_t generation = 0;
  std::string at;
};

struct AppHistory {
  std::vector<Json> deaths;  // newest first
  std::optional<LastStart> last_start;
};

class Stories {
 public:
  static constexpr std::size_t kKeptStories = 50;
  static constexpr std::size_t kMaxFileBytes = 1024 * 1024;  // then it is written anew
  static constexpr std::size_t kMaxWaiting = 1024;           // to be written
  static constexpr std::size_t kWritesPerTurn = 8;           // each waits for the disk
  static constexpr std::size_t kMaxLoose = 1024;             // workers with requests and no death, or the other way
  static constexpr std::size_t kMaxLoosePerApp = 64;
  static constexpr Duration kLooseTime = std::chrono::seconds(30);

  using StoredCallback = std::function<void(const proto::DeathStored&)>;
  // `clock` must outlive this object.  `on_stored` is called from the loop.
  Stories(uv_loop_t* loop, const Clock& clock, StoredCallback on_stored);
  // REQUIRES: before everything else.  `directory` must outlive this object.
  void open(const LogDirectory& directory) { directory_ = &directory; }

  // Whether this death's story is on disk already, because the supervisor repeats it: then it is acknowledged.
  [[nodiscard]] bool is_known(const AppName& app, const proto::Death& death);
  void add_death(const AppName& app, const proto::Death& death, std::vector<std::string> lines);
  void add_start(const AppName& app, std::uint32_t generation, std::int64_t at_ms);
  void add_running(const AppName& app, const proto::RunningRecord& record);

  // Writes what waits, once: the last act of the program.
  void write_all_now() { write_some(waiting_.size()); }

  [[nodiscard]] AppHistory read(const AppName& app);
  // The death of the worker that had this request; null when there is none.
  [[nodiscard]] Json find_request(const AppName& app, std::string_view request_id);

 private:
  // A worker of which one side has been heard, or both for a while.
  struct Loose {
    AppName app;
    Story story;  // its death is real once `dead`
    bool dead = false;
    Instant until;
  };
  struct Waiting {
    AppName app;
    std::string line;
    std::optional<proto::DeathStored> stored;
  };
  using WorkerKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

  Loose& loose_of(const WorkerKey& key, const AppName& app);
  void forget_loose();
  void enqueue(Waiting waiting);
  void write_some(std::size_t count);
  [[nodiscard]] Status write(const Waiting& waiting);
  [[nodiscard]] Status tidy(const AppName& app, int directory_fd);

  const Clock& clock_;
  StoredCallback on_stored_;
  const LogDirectory* directory_ = nullptr;
  std::map<WorkerKey, Loose> loose_;
  std::deque<Waiting> waiting_;
  Timer writing_;
};

}  // namespace rowhouse::control
