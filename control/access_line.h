// One line of access.log: the combined log format, then what Rowhouse knows besides:
//
//   192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8"
//       host=acme.example rt=0.012300 gateway=0.000050 queue=0.000200 app=0.011900 in=0 cause=- id=r1 error=-
//
// (one line).  Times in seconds.  `rt` runs from the complete head to the last byte; `aborted` stands at the
// end when the client went first.
#pragma once

#include <string>

#include "proto/access_record.h"

namespace rowhouse::control {

// Without a line end.  SECURITY: everything a client sent is escaped, quotes included, so that no request can
// write a second line or a second field (test_access_line.cc).
[[nodiscard]] std::string format_access_line(const proto::AccessRecord& record);

}  // namespace rowhouse::control
