#include "worker/say.h"

#include <string>

#include "base/files.h"
#include "base/printable.h"

namespace rowhouse::worker {
namespace {

thread_local int log_descriptor = 2;

}  // namespace

void log_from_this_thread_to(int descriptor) {
  log_descriptor = descriptor;
}

int log_of_this_thread() {
  return log_descriptor;
}

void write_to_log(std::string_view text) {
  // A log that cannot be written to has nobody to report that to.
  static_cast<void>(write_all(log_descriptor, text).ok());
}

void say(std::string_view sentence) {
  write_to_log("rowhouse: " + terminal_safe(sentence) + "\n");
}

}  // namespace rowhouse::worker
