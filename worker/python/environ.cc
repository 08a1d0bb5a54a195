#include "worker/python/environ.h"

#include <charconv>

namespace rowhouse::worker {
namespace {

// A client that invents names without end gets keys that are not kept.
constexpr std::size_t kMaxOtherKeys = 256;

// "x-forwarded-for" -> "HTTP_X_FORWARDED_FOR"
void write_key(std::string& key, std::string_view name) {
  key = "HTTP_";
  for (const char c : name) {
    key += c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
}

PyOwned decimal(std::uint64_t number) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  return latin1({digits, static_cast<std::size_t>(end - digits)});
}

bool set_constant(const PyOwned& dict, const char* name, const PyOwned& value) {
  const PyOwned key = interned(name);
  return key && value && PyDict_SetItem(dict.get(), key.get(), value.get()) == 0;
}

// `name` is in the environ already: the values are joined (RFC 9110 5.2; cookies RFC 9113 8.2.3).
bool join_values(PyObject* environ, PyObject* key, PyObject* first, PyObject* separator, PyObject* second) {
  const PyOwned head(PyUnicode_Concat(first, separator));
  const PyOwned joined(head ? PyUnicode_Concat(head.get(), second) : nullptr);
  return joined && PyDict_SetItem(environ, key, joined.get()) == 0;
}

}  // namespace

PyBorrowed RecentText::get(std::string_view text) {
  if (!object_ || text_ != text) {
    object_ = latin1(text);
    text_.assign(text);
  }
  return PyBorrowed(object_.get());
}

// --- preparation ----------------------------------------------------------------------------------------

bool EnvironBuilder::prepare(unsigned threads, PyObject* file_wrapper) {
  static constexpr std::array<const char*, kKeys> kNames = {
      "REQUEST_METHOD", "SCRIPT_NAME",        "PATH_INFO",   "QUERY_STRING",    "REQUEST_URI",
      "RAW_URI",        "SERVER_NAME",        "SERVER_PORT", "SERVER_PROTOCOL", "REMOTE_ADDR",
      "REMOTE_PORT",    "wsgi.url_scheme",    "wsgi.input",  "CONTENT_TYPE",    "CONTENT_LENGTH",
      "HTTP_HOST",      "rowhouse.request_id"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    keys_[i] = interned(kNames[i]);
    if (!keys_[i]) return false;
  }
  std::string key;
  for (std::uint8_t number = 1; number < proto::kFieldNames; ++number) {
    write_key(key, proto::field_name(number));
    field_keys_[number] = interned(number == proto::kFieldContentType ? "CONTENT_TYPE" : key.c_str());
    if (!field_keys_[number]) return false;
  }
  for (std::size_t i = 1; i < methods_.size(); ++i) {
    methods_[i] = latin1(proto::method_name(static_cast<proto::Method>(i)));
    if (!methods_[i]) return false;
  }
  http_ = latin1("http");
  https_ = latin1("https");
  http10_ = latin1("HTTP/1.0");
  http11_ = latin1("HTTP/1.1");
  comma_ = latin1(", ");
  semicolon_ = latin1("; ");
  empty_ = latin1("");
  return http_ && https_ && http10_ && http11_ && comma_ && semicolon_ && empty_ &&
         prepare_template(threads, file_wrapper);
}

bool EnvironBuilder::prepare_template(unsigned threads, PyObject* file_wrapper) {
  template_ = PyOwned(PyDict_New());
  const PyBorrowed errors(PySys_GetObject("stderr"));
  if (!template_ || !errors) return false;
  const PyOwned yes(PyBorrowed{Py_True});
  const PyOwned no(PyBorrowed{Py_False});
  return set_constant(template_, "wsgi.version", PyOwned(Py_BuildValue("(ii)", 1, 0))) &&
         set_constant(template_, "wsgi.errors", PyOwned(errors)) &&
         set_constant(template_, "wsgi.multithread", PyOwned(PyBool_FromLong(threads > 1 ? 1 : 0))) &&
         // Another worker may run at any time: during a restart there are two even where `workers` is 1.
         set_constant(template_, "wsgi.multiprocess", yes) && set_constant(template_, "wsgi.run_once", no) &&
         set_constant(template_, "wsgi.input_terminated", yes) &&
         set_constant(template_, "wsgi.file_wrapper", PyOwned(PyBorrowed{file_wrapper})) &&
         set_constant(template_, "SERVER_SOFTWARE", latin1("Rowhouse"));
}

// --- one request ----------------------------------------------------------------------------------------

PyOwned EnvironBuilder::build(const proto::RequestHead& head, PyObject* input) {
  PyOwned environ(PyDict_Copy(template_.get()));
  if (environ && set(environ.get(), kInput, input) && set_line(environ.get(), head) &&
      set_connection(environ.get(), head) && set_fields(environ.get(), head)) {
    return environ;
  }
  return {};
}

bool EnvironBuilder::set(PyObject* environ, Key key, PyObject* value) const {
  return value != nullptr && PyDict_SetItem(environ, keys_[key].get(), value) == 0;
}

bool EnvironBuilder::set_new(PyObject* environ, Key key, std::string_view text) const {
  return set(environ, key, latin1(text).get());
}

bool EnvironBuilder::set_line(PyObject* environ, const proto::RequestHead& head) {
  const PyOwned target = latin1(head.target);
  const auto method = static_cast<std::size_t>(head.method);
  const bool known = head.method != proto::Method::kOther;
  if (!(known ? set(environ, kRequestMethod, methods_[method].get())
              : set_new(environ, kRequestMethod, head.method_name))) {
    return false;
  }
  return set(environ, kRequestUri, target.get()) && set(environ, kRawUri, target.get()) &&
         set(environ, kScriptName, script_name_.get(head.script_name).get()) &&
         set_new(environ, kPathInfo, head.path_info) &&
         (head.query.empty() ? set(environ, kQueryString, empty_.get())
                             : set_new(environ, kQueryString, head.query)) &&
         set(environ, kServerProtocol, (head.version == 10 ? http10_ : http11_).get()) &&
         set(environ, kUrlScheme, (head.https ? https_ : http_).get());
}

bool EnvironBuilder::set_connection(PyObject* environ, const proto::RequestHead& head) {
  char digits[8];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, head.server_port);
  const std::string_view port(digits, static_cast<std::size_t>(end - digits));
  const std::string_view name = head.server_name.empty() ? "localhost" : head.server_name;
  if (!set(environ, kServerName, server_name_.get(name).get()) ||
      !set(environ, kServerPort, server_port_.get(port).get()) ||
      !set(environ, kRemoteAddress, remote_address_.get(head.remote_address).get()) ||
      !set(environ, kRemotePort, decimal(head.remote_port).get()) ||
      !set_new(environ, kRequestId, head.request_id)) {
    return false;
  }
  if (!head.host.empty() && !set(environ, kHttpHost, host_.get(head.host).get())) return false;
  const bool has_length = head.body_length != 0 && head.body_length != proto::kUnknownLength;
  return !has_length || set(environ, kContentLength, decimal(head.body_length).get());
}

bool EnvironBuilder::set_fields(PyObject* environ, const proto::RequestHead& head) {
  for (const proto::Field& field : head.fields) {
    if (!set_field(environ, field)) return false;
  }
  return true;
}

bool EnvironBuilder::set_field(PyObject* environ, const proto::Field& field) {
  // The gateway sends none of these; an app must not meet them whatever a gateway does: CONTENT_LENGTH has
  // one source, HTTP_PROXY is a setting of HTTP clients, and "a_b" would be taken for "a-b".
  if (field.number == proto::kFieldContentLength) return true;
  if (field.number == 0 && (field.name == "proxy" || field.name.find('_') != std::string_view::npos))
    return true;
  const PyBorrowed key = field_key(field);
  const PyOwned value = latin1(field.value);
  if (!key || !value) return false;
  PyObject* const present = PyDict_SetDefault(environ, key.get(), value.get());
  if (present == nullptr) return false;
  if (present == value.get()) return true;
  PyObject* const separator = (field.number == proto::kFieldCookie ? semicolon_ : comma_).get();
  return join_values(environ, key.get(), present, separator, value.get());
}

PyBorrowed EnvironBuilder::field_key(const proto::Field& field) {
  if (field.number != 0) return PyBorrowed(field_keys_[field.number].get());
  name_room_.assign(field.name);
  const auto found = other_keys_.find(name_room_);
  if (found != other_keys_.end()) return PyBorrowed(found->second.get());
  std::string text;
  write_key(text, field.name);
  PyOwned key = latin1(text);
  if (!key || other_keys_.size() >= kMaxOtherKeys) {
    uncached_key_ = std::move(key);
    return PyBorrowed(uncached_key_.get());
  }
  return PyBorrowed(other_keys_.emplace(name_room_, std::move(key)).first->second.get());
}

}  // namespace rowhouse::worker
