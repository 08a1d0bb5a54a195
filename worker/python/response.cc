#include "worker/python/response.h"

#include <limits>

#include "worker/fork_guard.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

bool raise(PyObject* type, const std::string& sentence) {
  PyErr_SetString(type, sentence.c_str());
  return false;
}

bool is_given(PyObject* object) {
  return object != nullptr && object != Py_None;
}

// Raises the exception that the app passes as exc_info.
bool raise_again(PyObject* exc_info) {
  PyObject* part[3];
  for (Py_ssize_t i = 0; i < 3; ++i) {
    part[i] = PyTuple_GET_ITEM(exc_info, i);
    if (part[i] == Py_None) part[i] = nullptr;
    Py_XINCREF(part[i]);
  }
  PyErr_Restore(part[0], part[1], part[2]);
  return false;
}

bool is_exc_info(PyObject* object) {
  return PyTuple_Check(object) != 0 && PyTuple_GET_SIZE(object) == 3 &&
         PyExceptionClass_Check(PyTuple_GET_ITEM(object, 0)) != 0;
}

}  // namespace

void Response::begin(Stream& stream) {
  stream_ = &stream;
  draft_.clear();
  started_ = false;
  head_sent_ = false;
  warned_ = false;
  wants_body_ = stream.head.method != proto::Method::kHead;
  body_bytes_ = 0;
}

// --- start_response -------------------------------------------------------------------------------------

bool Response::start(PyObject* status, PyObject* headers, PyObject* exc_info) {
  if (is_forked_child()) return raise(PyExc_OSError, "a forked child cannot answer the request");
  if (is_given(exc_info)) {
    if (!is_exc_info(exc_info))
      return raise(PyExc_TypeError, "start_response: exc_info is not a tuple of three");
    if (head_sent_) return raise_again(exc_info);
  } else if (started_) {
    return raise(PyExc_AssertionError, "start_response was called a second time without exc_info");
  }
  draft_.clear();
  started_ = false;
  if (!take_status(status) || !take_headers(headers)) return false;
  started_ = true;
  return true;
}

bool Response::take_status(PyObject* status) {
  if (!PyUnicode_Check(status)) {
    return raise(PyExc_TypeError, std::string("start_response: the status is of type ") +
                                      Py_TYPE(status)->tp_name + ", not str");
  }
  std::string_view line;
  if (!latin1_view(status, line)) {
    return raise(PyExc_ValueError, "start_response: the status has characters outside latin-1");
  }
  const Status checked = draft_.set_status(line);
  if (checked.ok()) return true;
  return raise(PyExc_ValueError,
               "start_response: the status '" + readable(status) + "' " + checked.error().operation);
}

bool Response::take_headers(PyObject* headers) {
  if (!PyList_Check(headers)) {
    return raise(PyExc_TypeError, std::string("start_response: the headers are of type ") +
                                      Py_TYPE(headers)->tp_name + ", not a list of tuples");
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); ++i) {
    if (!take_header(PyList_GET_ITEM(headers, i))) return false;
  }
  return true;
}

bool Response::take_header(PyObject* header) {
  if (!PyTuple_Check(header) || PyTuple_GET_SIZE(header) != 2 ||
      !PyUnicode_Check(PyTuple_GET_ITEM(header, 0)) || !PyUnicode_Check(PyTuple_GET_ITEM(header, 1))) {
    const PyOwned shown(PyObject_Repr(header));
    if (!shown) return false;
    return raise(PyExc_TypeError,
                 "start_response: a header is not a tuple of two str: " + readable(shown.get()));
  }
  PyObject* const name_object = PyTuple_GET_ITEM(header, 0);
  std::string_view name;
  std::string_view value;
  const char* complaint = "has characters outside latin-1";
  if (latin1_view(name_object, name) && latin1_view(PyTuple_GET_ITEM(header, 1), value)) {
    const Status checked = draft_.add_field(name, value);
    if (checked.ok()) return true;
    complaint = checked.error().operation;
  }
  return raise(PyExc_ValueError, "start_response: the header '" + readable(name_object) + "' " + complaint);
}

// --- the body -------------------------------------------------------------------------------------------

std::uint64_t Response::room() const {
  const std::optional<std::uint64_t> length = draft_.content_length();
  return length ? *length - body_bytes_ : std::numeric_limits<std::uint64_t>::max();
}

bool Response::is_short() const {
  return wants_body_ && draft_.may_have_body() && draft_.content_length() && room() != 0;
}

void Response::announce_length(std::uint64_t bytes) {
  if (!started_ || head_sent_ || draft_.content_length() || !draft_.may_have_body()) return;
  // The answer to HEAD says the length of GET's body, which an empty iterable does not tell.
  if (!wants_body_ && bytes == 0) return;
  draft_.set_content_length(bytes);
}

bool Response::write(std::string_view bytes) {
  if (!started_) return raise(PyExc_AssertionError, "write() was called before start_response");
  if (send_chunk(bytes) == Step::kFailed) return false;
  if (!scheduler_.is_gone(*stream_)) return true;
  return raise(PyExc_BrokenPipeError, "the client went away before the response was complete");
}

Response::Step Response::send_chunk(std::string_view bytes) {
  if (is_forked_child()) {
    raise(PyExc_OSError, "a forked child cannot answer the request");
    return Step::kFailed;
  }
  if (bytes.empty()) return Step::kMore;
  if (!started_) {
    raise(PyExc_AssertionError, "the app sent its body before it called start_response");
    return Step::kFailed;
  }
  if (!wants_body_ || !draft_.may_have_body()) {
    send_head();
    return Step::kStop;
  }
  const bool excess = bytes.size() > room();
  if (excess) bytes = bytes.substr(0, static_cast<std::size_t>(room()));
  body_bytes_ += bytes.size();
  if (!send(bytes)) return Step::kStop;
  if (excess) {
    if (!warned_) {
      say("request " + std::string(stream_->head.request_id) +
          ": the body is longer than its Content-Length; the rest is cut off");
    }
    warned_ = true;
    return Step::kStop;
  }
  flush_if_due();
  return Step::kMore;
}

void Response::send_head() {
  if (!head_sent_) static_cast<void>(send_part({}));
}

std::size_t Response::send_part(std::string_view bytes) {
  if (head_sent_) return scheduler_.send_data(*stream_, bytes);
  head_sent_ = true;
  return scheduler_.respond_with(*stream_, draft_.head(room_), bytes);
}

// False when the client has gone.
bool Response::send(std::string_view bytes) {
  while (true) {
    bytes.remove_prefix(send_part(bytes));
    if (bytes.empty()) return !scheduler_.is_gone(*stream_);
    scheduler_.enter(*stream_);
    const GilReleased released;
    if (scheduler_.wait_to_send(*stream_) == WaitOutcome::kGone) return false;
  }
}

void Response::flush_if_due() {
  if (!scheduler_.is_flush_due(*stream_)) return;
  const GilReleased released;
  scheduler_.flush();
}

bool Response::end() {
  if (!started_) return raise(PyExc_AssertionError, "the app returned without calling start_response");
  if (wants_body_) announce_length(0);
  send_head();
  return true;
}

}  // namespace rowhouse::worker
