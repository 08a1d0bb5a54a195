#include "worker/python/asgi_scope.h"

#include <charconv>
#include <string>

namespace rowhouse::worker {
namespace {

PyOwned bytes_object(std::string_view text) {
  return PyOwned(PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}

// Paths are UTF-8; what is not becomes U+FFFD, and raw_path has it all.
PyOwned utf8(std::string_view text) {
  return PyOwned(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

PyOwned address(std::string_view host, std::uint16_t port) {
  return PyOwned(Py_BuildValue("[s#i]", host.data(), static_cast<Py_ssize_t>(host.size()), static_cast<int>(port)));
}

bool add_header(PyObject* list, PyObject* name, std::string_view value) {
  const PyOwned text = bytes_object(value);
  const PyOwned pair(text ? PyTuple_Pack(2, name, text.get()) : nullptr);
  return pair && PyList_Append(list, pair.get()) == 0;
}

// The names in Sec-WebSocket-Protocol.
bool add_subprotocols(PyObject* list, std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    std::string_view name = value.substr(0, comma);
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    const std::size_t begin = name.find_first_not_of(" \t");
    if (begin == std::string_view::npos) continue;
    name = name.substr(begin, name.find_last_not_of(" \t") - begin + 1);
    const PyOwned text = latin1(name);
    if (!text || PyList_Append(list, text.get()) != 0) return false;
  }
  return true;
}

PyOwned subprotocols_of(const proto::RequestHead& head) {
  PyOwned list(PyList_New(0));
  for (const proto::Field& field : head.fields) {
    if (field.name != "sec-websocket-protocol") continue;
    if (!list || !add_subprotocols(list.get(), field.value)) return {};
  }
  return list;
}

}  // namespace

bool ScopeBuilder::prepare() {
  static constexpr std::array<const char*, kKeys> kNames = {
      "type",         "asgi",      "http_version", "method",  "scheme", "path",         "raw_path",
      "query_string", "root_path", "headers",      "client",  "server", "subprotocols", "extensions"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    keys_[i] = interned(kNames[i]);
    if (!keys_[i]) return false;
  }
  for (std::uint8_t number = 1; number < proto::kFieldNames; ++number) {
    names_[number] = bytes_object(proto::field_name(number));
    if (!names_[number]) return false;
  }
  for (std::size_t i = 1; i < methods_.size(); ++i) {
    methods_[i] = latin1(proto::method_name(static_cast<proto::Method>(i)));
    if (!methods_[i]) return false;
  }
  http_type_ = interned("http");
  socket_type_ = interned("websocket");
  asgi_ = PyOwned(Py_BuildValue("{ssss}", "version", "3.0", "spec_version", "2.4"));
  http10_ = interned("1.0");
  http11_ = interned("1.1");
  http_ = interned("http");
  https_ = interned("https");
  ws_ = interned("ws");
  wss_ = interned("wss");
  host_ = bytes_object("host");
  content_length_ = bytes_object("content-length");
  http_extensions_ = PyOwned(Py_BuildValue("{s{}}", "http.response.pathsend"));
  socket_extensions_ = PyOwned(Py_BuildValue("{s{}}", "websocket.http.response"));
  return http_type_ && socket_type_ && asgi_ && http10_ && http11_ && http_ && https_ && ws_ && wss_ && host_ &&
         content_length_ && http_extensions_ && socket_extensions_;
}

PyOwned ScopeBuilder::build(const proto::RequestHead& head, Kind kind) {
  PyOwned scope(PyDict_New());
  if (!scope || !set_line(scope.get(), head, kind) || !set_place(scope.get(), head)) return {};
  if (!set(scope.get(), kHeaders, headers_of(head))) return {};
  if (kind == Kind::kWebSocket && !set(scope.get(), kSubprotocols, subprotocols_of(head))) return {};
  return scope;
}

bool ScopeBuilder::set(PyObject* scope, Key key, const PyOwned& value) const {
  return value && PyDict_SetItem(scope, keys_[key].get(), value.get()) == 0;
}

bool ScopeBuilder::set_line(PyObject* scope, const proto::RequestHead& head, Kind kind) {
  const bool socket = kind == Kind::kWebSocket;
  const PyOwned asgi(PyDict_Copy(asgi_.get()));
  const PyOwned extensions(PyDict_Copy((socket ? socket_extensions_ : http_extensions_).get()));
  if (!set(scope, kType, socket ? socket_type_ : http_type_) || !set(scope, kAsgi, asgi) ||
      !set(scope, kExtensions, extensions) || !set(scope, kHttpVersion, head.version == 10 ? http10_ : http11_)) {
    return false;
  }
  if (socket) return set(scope, kScheme, head.https ? wss_ : ws_);
  if (!set(scope, kScheme, head.https ? https_ : http_)) return false;
  const auto method = static_cast<std::size_t>(head.method);
  return head.method != proto::Method::kOther ? set(scope, kMethod, methods_[method])
                                              : set(scope, kMethod, latin1(head.method_name));
}

// The path is that of the request target, so it begins with root_path (ASGI 2.4).
bool ScopeBuilder::set_place(PyObject* scope, const proto::RequestHead& head) {
  const std::string_view raw_path = head.target.substr(0, head.target.find('?'));
  const std::string_view name = head.server_name.empty() ? "localhost" : head.server_name;
  PyOwned path;
  if (head.script_name.empty()) {
    path = utf8(head.path_info);
  } else {
    path = utf8(std::string(head.script_name) + std::string(head.path_info));
  }
  return set(scope, kPath, path) && set(scope, kRawPath, bytes_object(raw_path)) &&
         set(scope, kQueryString, bytes_object(head.query)) && set(scope, kRootPath, utf8(head.script_name)) &&
         set(scope, kServer, address(name, head.server_port)) &&
         (head.remote_address.empty() ? set(scope, kClient, PyOwned(PyBorrowed{Py_None}))
                                      : set(scope, kClient, address(head.remote_address, head.remote_port)));
}

PyOwned ScopeBuilder::headers_of(const proto::RequestHead& head) {
  PyOwned list(PyList_New(0));
  if (!list) return {};
  if (!head.host.empty() && !add_header(list.get(), host_.get(), head.host)) return {};
  if (head.body_length != 0 && head.body_length != proto::kUnknownLength) {
    char digits[24];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, head.body_length);
    const std::string_view length(digits, static_cast<std::size_t>(end - digits));
    if (!add_header(list.get(), content_length_.get(), length)) return {};
  }
  for (const proto::Field& field : head.fields) {
    if (field.number == proto::kFieldContentLength || field.name == "proxy") continue;
    if (field.number != 0) {
      if (!add_header(list.get(), names_[field.number].get(), field.value)) return {};
      continue;
    }
    const PyOwned name = bytes_object(field.name);
    if (!name || !add_header(list.get(), name.get(), field.value)) return {};
  }
  return list;
}

}  // namespace rowhouse::worker
