// The texts of asgi_exchanges.py and asgi_runtime.py, which the build puts into the program (embed.py).
#pragma once

namespace rowhouse::worker {

extern const char kAsgiExchangesSource[];
extern const char kAsgiRuntimeSource[];

}  // namespace rowhouse::worker
