// worker/websocket.h as a Python type.
#pragma once

#include "worker/python/py_ref.h"

namespace rowhouse::worker {

// REQUIRES: called once in an interpreter, with the GIL.  False with an exception pending.
[[nodiscard]] bool prepare_asgi_socket_type();

// Null with an exception pending.
[[nodiscard]] PyOwned create_asgi_socket();

}  // namespace rowhouse::worker
