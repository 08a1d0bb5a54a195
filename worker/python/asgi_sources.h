// The texts of asgi_exchanges.py, asgi_runtime.py and share_runtime.py, which the build puts into the program (embed.py).
#pragma once

namespace rowhouse::worker {

extern const char kAsgiExchangesSource[];
extern const char kAsgiRuntimeSource[];
extern const char kShareRuntimeSource[];

}  // namespace rowhouse::worker
