// No golden block of a page stands there untested.
#include <doctest/doctest.h>

#include "page.h"

namespace rowhouse::proto::test {
namespace {

// The labels that the tests of this directory name in quotes.
bool is_tested(const std::string& label) {
  for (const char* file : {"test_control_messages.cc", "test_lifeline.cc", "test_request_frames.cc",
                           "test_request_heads.cc", "test_carried_bytes.cc"}) {
    const std::string text = read_source(std::string("tests/unit/proto/") + file);
    if (text.find("\"" + label + "\"") != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("every golden block of both pages is compared with the codec") {
  for (const char* path : {"proto/PROTOCOL.request.md", "proto/PROTOCOL.control.md"}) {
    const auto labels = golden_labels(read_source(path));
    CHECK(labels.size() >= 10);
    for (const std::string& label : labels) {
      CAPTURE(label);
      CHECK(is_tested(label));
    }
  }
}

}  // namespace
}  // namespace rowhouse::proto::test
