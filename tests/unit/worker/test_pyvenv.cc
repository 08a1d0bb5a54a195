#include <doctest/doctest.h>

#include "worker/pyvenv.h"

using rowhouse::worker::find_virtualenv_fault;
using rowhouse::worker::pyvenv_version;

TEST_CASE("the version of venv and of virtualenv is found") {
  CHECK(pyvenv_version("home = /usr/bin\nversion = 3.11.2\n") == "3.11");
  CHECK(pyvenv_version("version_info = 3.9.18.final.0\r\n") == "3.9");
  CHECK(pyvenv_version("version=3.13") == "3.13");
  CHECK(pyvenv_version("version = 3.11") == "3.11");
}

TEST_CASE("text without a version has none") {
  for (const char* text : {"", "home = /usr/bin", "version", "version =", "version = three", "version = 3",
                           "version = 3.", "version = .11", "aversion = 3.11"}) {
    CAPTURE(text);
    CHECK_FALSE(pyvenv_version(text));
  }
}

TEST_CASE("a directory that does not exist is named in the fault") {
  const std::string fault = find_virtualenv_fault("/nowhere/venv", "3.11");
  CHECK(fault.find("/nowhere/venv") != std::string::npos);
  CHECK(fault.find("No such file") != std::string::npos);
}

TEST_CASE("a file is no virtualenv") {
  CHECK(find_virtualenv_fault("/dev/null", "3.11").find("Not a directory") != std::string::npos);
}
