// The loader's work for the supervisor: Load... messages on a control socket, answered with records or with
// sentences, until the supervisor closes it.  Protocol: proto/loader_messages.h.
#pragma once

#include "config/users.h"

namespace rowhouse::config {

// Returns the exit status: 0 at end of file, 1 when the peer sent what it must not or the socket failed.
int run_loader_session(int socket, const Users& users);

}  // namespace rowhouse::config
