// A tenant with a home, for the tests that run the real loader.  REQUIRES: root.
#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "loader_process.h"
#include "scratch.h"
#include "sentences.h"

namespace rowhouse::config {

inline constexpr std::string_view kManifest = R"(apps:
  blog:
    routes: [acme.example, www.acme.example/blog]
    wsgi: blog.wsgi:application
    directory: blog
    virtualenv: venv
    env: { A: b }
    threads: 4
    static: { /static/: blog/static }
  shop: { routes: [acme.example/shop], wsgi: shop.py, python: "3.12" }
)";

struct TenantFixture {
  Scratch scratch;
  std::string home;
  TenantFixture() {
    REQUIRE_MESSAGE(::geteuid() == 0, "these tests change users and need root");
    home = scratch.make_directory("home");
    ::chmod(home.c_str(), 0700);
    scratch.give_to(kTenantUid);
  }
  // The tenant's home as the manifest above wants it.
  void furnish() const {
    scratch.make_directory("home/blog/static");
    scratch.make_directory("home/venv");
    scratch.write("home/venv/pyvenv.cfg", "version = 3.11\n");
    scratch.write("home/shop.py", "");
    scratch.write("home/rowhouse.yaml", kManifest);
    scratch.give_to(kTenantUid);
  }
};

}  // namespace rowhouse::config
