// What the worker itself has to say to the tenant: one line on stderr, which is the app's log, with one
// write(2).  Apps that share a process have a log each: a thread of such an app says where its lines go.
#pragma once

#include <string_view>

namespace rowhouse::worker {

// Writes "rowhouse: <sentence>\n".  Whatever a client or an app put into the sentence stays on one line.
void say(std::string_view sentence);

// Writes the text as it is, with as few write(2) as the pipe allows.
void write_to_log(std::string_view text);

// From now on what this thread says goes there; before, to stderr.  A thread that it starts has to be told again.
void log_from_this_thread_to(int descriptor);
[[nodiscard]] int log_of_this_thread();

}  // namespace rowhouse::worker
