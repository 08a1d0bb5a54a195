// One line of access.log, in the form that the app has chosen.  Combined: the combined log format, then what Rowhouse
// knows besides:
//
//   192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8"
//       host=acme.example rt=0.012300 gateway=0.000050 queue=0.000200 app=0.011900 in=0 cause=- id=r1 error=-
//
// (one line).  Times in seconds.  `rt` runs from the complete head to the last byte; `aborted` stands at the
// end when the client went first.  JSON: one object a line, what is absent is null, times in microseconds and bodies in
// bytes; `write_us` is what gateway, queue and app leave of the whole: giving the answer to the client.
#pragma once

#include <string>

#include "proto/access_record.h"

namespace rowhouse::control {

// Without a line end, in `record.format`.  SECURITY: everything a client sent is escaped, quotes included, so that no
// request can write a second line or a second field (test_log_text.cc, test_access_json.cc).
[[nodiscard]] std::string format_access_line(const proto::AccessRecord& record);

}  // namespace rowhouse::control
