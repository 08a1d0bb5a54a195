// The WSGI environ of a request (PEP 3333, "environ Variables"): a copy of a template of everything that
// never changes, then the request's own values.  Keys and frequent values exist before the first request.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proto/heads.h"
#include "worker/python/py_ref.h"

namespace rowhouse::worker {

// A str that is made anew only when the text differs from the last time.
class RecentText {
 public:
  // Null with an exception pending.  Borrowed from this object until the next call.
  [[nodiscard]] PyBorrowed get(std::string_view text);

 private:
  std::string text_;
  PyOwned object_;
};

class EnvironBuilder {
 public:
  // `threads`: of this worker.  False with an exception pending when Python has no memory.
  [[nodiscard]] bool prepare(unsigned threads, PyObject* file_wrapper);

  // A fresh dict.  Null with an exception pending.
  [[nodiscard]] PyOwned build(const proto::RequestHead& head, PyObject* input);

 private:
  enum Key : std::uint8_t {
    kRequestMethod,
    kScriptName,
    kPathInfo,
    kQueryString,
    kRequestUri,
    kRawUri,
    kServerName,
    kServerPort,
    kServerProtocol,
    kRemoteAddress,
    kRemotePort,
    kUrlScheme,
    kInput,
    kContentType,
    kContentLength,
    kHttpHost,
    kRequestId,
    kKeys,
  };
  [[nodiscard]] bool prepare_template(unsigned threads, PyObject* file_wrapper);
  [[nodiscard]] bool set(PyObject* environ, Key key, PyObject* value) const;
  [[nodiscard]] bool set_new(PyObject* environ, Key key, std::string_view text) const;
  [[nodiscard]] bool set_line(PyObject* environ, const proto::RequestHead& head);
  [[nodiscard]] bool set_connection(PyObject* environ, const proto::RequestHead& head);
  [[nodiscard]] bool set_fields(PyObject* environ, const proto::RequestHead& head);
  [[nodiscard]] bool set_field(PyObject* environ, const proto::Field& field);
  [[nodiscard]] PyBorrowed field_key(const proto::Field& field);

  PyOwned template_;
  std::array<PyOwned, kKeys> keys_;
  std::array<PyOwned, proto::kFieldNames> field_keys_;   // of well-known fields
  std::unordered_map<std::string, PyOwned> other_keys_;  // of other fields, at most kMaxOtherKeys
  PyOwned uncached_key_;
  std::string name_room_;
  std::array<PyOwned, 9> methods_;
  PyOwned http_, https_, http10_, http11_, comma_, semicolon_, empty_;
  RecentText script_name_, server_name_, host_, remote_address_, server_port_;
};

}  // namespace rowhouse::worker
