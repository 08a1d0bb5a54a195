// The answer to one request: what start_response, write() and the iterable may do, in which order, and what
// leaves when (PEP 3333, "The start_response() Callable" and "Handling the Content-Length Header").  One
// object per request thread, used for one request after the other.  Functions that return false or kFailed
// leave an exception pending.
#pragma once

#include <string_view>

#include "worker/python/py_ref.h"
#include "worker/response_draft.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

class Response {
 public:
  explicit Response(Scheduler& scheduler) : scheduler_(scheduler) {}

  void begin(Stream& stream);

  // start_response(status, headers, exc_info); exc_info null or None when not given.
  [[nodiscard]] bool start(PyObject* status, PyObject* headers, PyObject* exc_info);
  // write(bytes).
  [[nodiscard]] bool write(std::string_view bytes);

  enum class Step : std::uint8_t { kMore, kStop, kFailed };
  // A chunk of the iterable.  kStop: nothing more is wanted.  `bytes` must stay alive without the GIL.
  [[nodiscard]] Step send_chunk(std::string_view bytes);
  // The whole body is known to have this length: Content-Length is set if the app did not.
  void announce_length(std::uint64_t bytes);
  // The iterable has ended: the head, if it has not left yet.
  [[nodiscard]] bool end();

  [[nodiscard]] bool is_started() const { return started_; }
  [[nodiscard]] bool is_head_sent() const { return head_sent_; }
  // Sent less than its Content-Length promised.
  [[nodiscard]] bool is_short() const;
  // Body bytes that may still be sent; without Content-Length, any number.
  [[nodiscard]] std::uint64_t room() const;

 private:
  [[nodiscard]] bool take_status(PyObject* status);
  [[nodiscard]] bool take_headers(PyObject* headers);
  [[nodiscard]] bool take_header(PyObject* header);
  [[nodiscard]] bool send(std::string_view bytes);
  [[nodiscard]] std::size_t send_part(std::string_view bytes);
  void send_head();
  void flush_if_due();

  Scheduler& scheduler_;
  Stream* stream_ = nullptr;
  ResponseDraft draft_;
  proto::FieldRoom room_;
  bool started_ = false;
  bool head_sent_ = false;
  bool wants_body_ = true;  // false for HEAD
  bool warned_ = false;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace rowhouse::worker
