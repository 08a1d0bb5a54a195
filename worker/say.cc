#include "worker/say.h"

#include <string>

#include "base/files.h"
#include "base/printable.h"

namespace rowhouse::worker {

void write_to_log(std::string_view text) {
  // A log that cannot be written to has nobody to report that to.
  static_cast<void>(write_all(2, text).ok());
}

void say(std::string_view sentence) {
  write_to_log("rowhouse: " + terminal_safe(sentence) + "\n");
}

}  // namespace rowhouse::worker
