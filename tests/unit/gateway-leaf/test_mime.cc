#include <doctest/doctest.h>

#include "gateway/mime.h"

namespace rowhouse::gateway {
namespace {

TEST_CASE("the built-in table knows what a site needs") {
  const MimeTypes types;
  CHECK(types.of_file("a.css") == "text/css; charset=utf-8");
  CHECK(types.of_file("dir.d/app.min.JS") == "text/javascript; charset=utf-8");
  CHECK(types.of_file("x.png") == "image/png");
  CHECK(types.of_file("x.svg") == "image/svg+xml");
  CHECK(types.of_file("x.wasm") == "application/wasm");
}

TEST_CASE("what is not known is bytes") {
  const MimeTypes types;
  for (const std::string_view name : {"", "README", "a.", "a.nothing", "css", "a.css.bak", "dir.css/a",
                                      "a.cssssssssssssssssssssssssssssssssssss"}) {
    CAPTURE(name);
    CHECK(types.of_file(name) == "application/octet-stream");
  }
}

TEST_CASE("a table adds and replaces, and passes over what cannot be right") {
  MimeTypes types;
  types.add_table(
      "# application/x-comment css\n"
      "\n"
      "application/x-new\t\tnew NEWER # trailing\r\n"
      "application/x-css css\n"
      "no-slash png\n"
      "a/b/c gif\n"
      "text/x\x01y svg\n"
      "application/none\n"
      "text/last last");
  CHECK(types.of_file("a.new") == "application/x-new");
  CHECK(types.of_file("a.newer") == "application/x-new");
  CHECK(types.of_file("a.css") == "application/x-css");
  CHECK(types.of_file("a.png") == "image/png");
  CHECK(types.of_file("a.gif") == "image/gif");
  CHECK(types.of_file("a.svg") == "image/svg+xml");
  CHECK(types.of_file("a.last") == "text/last; charset=utf-8");
}

TEST_CASE("the system's table is read, and a missing one changes nothing") {
  MimeTypes types;
  CHECK_FALSE(types.read("/nowhere/mime.types").ok());
  CHECK(types.of_file("a.css") == "text/css; charset=utf-8");
  REQUIRE(types.read("/etc/mime.types").ok());
  CHECK(types.of_file("a.css") == "text/css; charset=utf-8");
  CHECK(types.of_file("a.odt") == "application/vnd.oasis.opendocument.text");
}

}  // namespace
}  // namespace rowhouse::gateway
