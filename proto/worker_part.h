// The worker part: what a loader, as the tenant, tells the tenant's own workers about one app.  A sealed memory
// file of at most kMaxWorkerPartBytes that root passes on unread.  Layout: u16 version (1), u16 threads, u8 kind
// (bit 0 CallableKind, bits 1 and 2 Interface, bit 3 factory, bit 4 GIL of its own), then text16 in the order of the struct,
// then u16 count and count x (text16 name, text16 value) of env, then, where there are any, u16 count and count x (u32 length,
// part) of the further apps of the share.
// Strings hold no NUL byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/limits.h"

namespace rowhouse::proto {

enum class CallableKind : std::uint8_t {
  kModule = 0,  // module:attribute
  kScript = 1,  // a file, run as a module of its own; attribute `application`
};

// What the callable is called with.
enum class Interface : std::uint8_t {
  kWsgi = 0,    // PEP 3333
  kAsgi = 1,    // ASGI 3.0
  kDetect = 2,  // the worker looks at the callable
};

// What the attribute names.
enum class CallableRole : std::uint8_t { kApp = 0, kFactory = 1 };

// Of an app that shares its process: with whom its interpreter shares the GIL.
enum class GilOwner : std::uint8_t { kProcess = 0, kInterpreter = 1 };

struct WorkerPart {
  std::uint16_t threads = 1;
  CallableKind kind = CallableKind::kModule;
  Interface interface = Interface::kWsgi;
  CallableRole role = CallableRole::kApp;  // a factory is called without arguments and returns the app
  std::string tenant;
  std::string app;
  std::string module;      // "blog.wsgi", or the absolute path of the script
  std::string attribute;   // "application"; may be dotted
  std::string home;        // absolute
  std::string directory;   // absolute; cwd and first entry of sys.path
  std::string virtualenv;  // absolute; empty: none
  std::string python;      // "3.11"
  std::vector<std::pair<std::string, std::string>> environment;
  GilOwner gil = GilOwner::kProcess;
  std::vector<WorkerPart> others;  // further apps of the same process, by name; they have none
};

// kTooLarge when the result would exceed kMaxWorkerPartBytes or a string 65,535 bytes.
[[nodiscard]] Result<std::string> encode_worker_part(const WorkerPart& part);
[[nodiscard]] Result<WorkerPart> parse_worker_part(ByteSpan bytes);

}  // namespace rowhouse::proto
