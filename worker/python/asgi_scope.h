// The scope of a request (ASGI 3.0, "HTTP Connection Scope" and "WebSocket Connection Scope"): a fresh dict from the
// head.  Keys and frequent values exist before the first request.
#pragma once

#include <array>

#include "proto/heads.h"
#include "worker/python/py_ref.h"

namespace rowhouse::worker {

class ScopeBuilder {
 public:
  enum class Kind : std::uint8_t { kHttp, kWebSocket };

  // False with an exception pending.
  [[nodiscard]] bool prepare();
  // Null with an exception pending.
  [[nodiscard]] PyOwned build(const proto::RequestHead& head, Kind kind);

 private:
  enum Key : std::uint8_t {
    kType, kAsgi, kHttpVersion, kMethod, kScheme, kPath, kRawPath, kQueryString, kRootPath, kHeaders, kClient, kServer,
    kSubprotocols, kExtensions, kKeys,
  };
  [[nodiscard]] bool set(PyObject* scope, Key key, const PyOwned& value) const;
  [[nodiscard]] bool set_line(PyObject* scope, const proto::RequestHead& head, Kind kind);
  [[nodiscard]] bool set_place(PyObject* scope, const proto::RequestHead& head);
  [[nodiscard]] PyOwned headers_of(const proto::RequestHead& head);

  std::array<PyOwned, kKeys> keys_;
  std::array<PyOwned, proto::kFieldNames> names_;  // bytes
  std::array<PyOwned, 9> methods_;
  PyOwned http_type_, socket_type_, asgi_, http10_, http11_, http_, https_, ws_, wss_, host_, content_length_;
  PyOwned http_extensions_, socket_extensions_;
};

}  // namespace rowhouse::worker
