// What the worker itself has to say to the tenant: one line on stderr, which is the app's log, with one
// write(2).
#pragma once

#include <string_view>

namespace rowhouse::worker {

// Writes "rowhouse: <sentence>\n".  Whatever a client or an app put into the sentence stays on one line.
void say(std::string_view sentence);

// Writes the text as it is, with as few write(2) as the pipe allows.
void write_to_log(std::string_view text);

}  // namespace rowhouse::worker
