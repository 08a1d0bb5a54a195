// Looks at the tenants' manifests, each through a loader that runs as its tenant: when the descriptor that the last
// loader left says that something happened, when somebody orders it, and from time to time where nobody will tell.
// At most one look of a tenant runs, and not before LookSchedule allows it.
//
// SECURITY: a descriptor is waited for and closed, never read (PROTOCOL.control.md, ManifestWatch).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/loop.h"
#include "supervisor/configuration.h"
#include "supervisor/look_schedule.h"

namespace rowhouse::supervisor {

class ManifestLooks {
 public:
  // The answer to a look; `answer.unchanged` when what is in force is what the file says.
  using OnAnswer = std::function<void(const std::string& tenant, ManifestAnswer answer)>;

  ManifestLooks(uv_loop_t* loop, const Clock& clock, Configuration& configuration, OnAnswer on_answer)
      : loop_(loop), clock_(clock), configuration_(configuration), on_answer_(std::move(on_answer)) {}
  ~ManifestLooks();

  // What was accepted earlier of this tenant: a file with this identity is not parsed again.
  void assume(const std::string& tenant, const proto::FileIdentity& known);
  // As soon as the schedule allows it; kForced parses the file even when it is the known one.
  enum class Depth : std::uint8_t { kIfChanged, kForced };
  void look(const std::string& tenant, Depth depth);
  void forget(const std::string& tenant);

 private:
  struct Entry {
    LookSchedule schedule;
    proto::FileIdentity known;
    bool forced = false;
    UniqueFd watch;
    std::unique_ptr<Poll> poll;
    std::unique_ptr<Timer> timer;
    std::uint64_t serial = 0;  // of the entry: a forgotten tenant's answer is nobody's
  };

  Entry& entry_of(const std::string& tenant);
  void arrange(Entry& entry);
  void begin(const std::string& tenant);
  void on_done(const std::string& tenant, std::uint64_t serial, ManifestAnswer answer);
  void watch(const std::string& tenant, Entry& entry, UniqueFd descriptor);
  static void unwatch(Entry& entry);

  uv_loop_t* loop_;
  const Clock& clock_;
  Configuration& configuration_;
  OnAnswer on_answer_;
  std::map<std::string, Entry> entries_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace rowhouse::supervisor
