#include <doctest/doctest.h>

#include <cerrno>

#include "config/tenant_schema.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

std::string refused(std::string_view text, const FixedUsers& users = {}) {
  return sentences(text, [&](const Node& root, Diagnostics& diagnostics) {
    static_cast<void>(read_tenant_file(root, "acme", users, diagnostics));
  });
}

TenantFile good(std::string_view text, const FixedUsers& users = {}) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(text, diagnostics);
  REQUIRE(root);
  TenantFile file = read_tenant_file(*root, "globex", users, diagnostics);
  CHECK(diagnostics.lines("f") == std::vector<std::string>{});
  return file;
}

}  // namespace

TEST_CASE("a tenant is a user of the host") {
  const TenantFile file = good("user: acme\nplan: starter\ndomains: [acme.example, '*.acme.example']\n");
  CHECK(file.tenant.user.view() == "acme");
  CHECK(file.tenant.uid == 2001);
  CHECK(file.tenant.gid == 2002);
  CHECK(file.tenant.home.view() == "/home/acme");
  CHECK(file.tenant.plan.view() == "starter");
  CHECK(file.tenant.manifest.view() == "rowhouse.yaml");
  REQUIRE(file.domains.size() == 2);
  CHECK(file.domains[0].host.view() == "acme.example");
  CHECK_FALSE(file.domains[0].wildcard);
  CHECK(file.domains[1].host.view() == "acme.example");
  CHECK(file.domains[1].wildcard);
}

TEST_CASE("a tenant is three numbers and a home, named after the user or the file") {
  const TenantFile named =
      good("uid: 2001\ngid: 2002\nhome: /srv/acme\nplan: p\nmanifest: conf/rowhouse.yaml\n");
  CHECK(named.tenant.user.view() == "acme");
  CHECK(named.tenant.uid == 2001);
  CHECK(named.tenant.gid == 2002);
  CHECK(named.tenant.home.view() == "/srv/acme");
  CHECK(named.tenant.manifest.view() == "conf/rowhouse.yaml");
  CHECK(named.domains.empty());
  CHECK(good("uid: 60001\ngid: 60001\nhome: /srv/g\nplan: p\n").tenant.user.view() == "globex");
  FixedUsers users;
  users.broken = EIO;
  CHECK(good("uid: 60001\ngid: 60001\nhome: /srv/g\nplan: p\n", users).tenant.uid == 60001);
}

TEST_CASE("a uid cannot be paired with a group that is not its own") {
  CHECK(refused("uid: 2001\ngid: 3001\nhome: /x\nplan: p\n") ==
        "2:6: \"gid\" must be 2002, the group of uid 2001 (user \"acme\"), not 3001");
  CHECK(refused("uid: 60001\ngid: 2002\nhome: /x\nplan: p\n") ==
        "2:6: \"gid\" must not be 2002, the group of user \"acme\"");
}

TEST_CASE("a group with power over the host is refused by its name") {
  CHECK(refused("uid: 60001\ngid: 990\nhome: /x\nplan: p\n") ==
        "2:6: \"gid\" must not be 990, the group \"docker\" of the host");
  FixedUsers users;
  users.users.push_back({"mallory", 2009, 990, "/home/mallory"});
  CHECK(refused("user: mallory\nplan: p\n", users) ==
        "1:7: \"user\" has the gid 990, the group \"docker\" of the host");
}

TEST_CASE("a tenant is either a user or numbers, and needs one of them") {
  CHECK(refused("plan: p\n") == "1:1: the key \"user\" is missing (or \"uid\", \"gid\" and \"home\")");
  CHECK(refused("user: acme\nuid: 2001\ngid: 1\nhome: /x\nplan: p\n") ==
        "2:6: \"uid\" cannot be given together with \"user\"\n"
        "3:6: \"gid\" cannot be given together with \"user\"\n"
        "4:7: \"home\" cannot be given together with \"user\"");
  CHECK(refused("uid: 2001\nplan: p\n") ==
        "1:1: the key \"gid\" is missing\n1:1: the key \"home\" is missing");
  CHECK(refused("gid: 2001\nhome: /x\nplan: p\n") == "1:1: the key \"uid\" is missing");
  CHECK(refused("user: acme\n") == "1:1: the key \"plan\" is missing");
}

TEST_CASE("a tenant is never root, nobody or no user") {
  for (const char* id : {"0", "65534", "65535", "4294967295"}) {
    CAPTURE(id);
    const std::string number(id);
    CHECK(contains(refused("uid: " + number + "\ngid: 2\nhome: /x\nplan: p\n"),
                   "1:6: \"uid\" must not be " + number));
    CHECK(contains(refused("uid: 2\ngid: " + number + "\nhome: /x\nplan: p\n"),
                   "2:6: \"gid\" must not be " + number));
  }
  CHECK(contains(refused("user: root\nplan: p\n"), "1:7: \"user\" has the uid 0, which is root's"));
  CHECK(refused("user: rootgroup\nplan: p\n") == "1:7: \"user\" has the gid 0, which is root's");
  CHECK(contains(refused("user: nobody\nplan: p\n"), "\"user\" has the uid 65534, which is nobody's"));
  CHECK(
      contains(refused("uid: -1\ngid: 2\nhome: /x\nplan: p\n"), "\"uid\" must be a whole number from 0 to"));
  CHECK(
      contains(refused("uid: '7'\ngid: 2\nhome: /x\nplan: p\n"), "\"uid\" must be a number without quotes"));
}

TEST_CASE("a tenant's user exists and has a usable home") {
  CHECK(refused("user: ghost\nplan: p\n") == "1:7: \"user\" names \"ghost\", and this host has no such user");
  CHECK(refused("user: homeless\nplan: p\n") ==
        "1:7: the home of \"user\" must be an absolute path, not \"nowhere\"");
  CHECK(refused("user: slash\nplan: p\n") == "1:7: the home of \"user\" must not be the root directory");
  CHECK(refused("uid: 2\ngid: 2\nhome: x\nplan: p\n") == "3:7: \"home\" must be an absolute path, not \"x\"");
  CHECK(refused("uid: 2\ngid: 2\nhome: /a/../b\nplan: p\n") ==
        "3:7: \"home\" must not contain \"..\", as \"/a/../b\" does");
}

TEST_CASE("domains are hosts, each once") {
  CHECK(good("user: acme\nplan: p\ndomains: []\n").domains.empty());
  CHECK(refused("user: acme\nplan: p\ndomains: [a.b, '*.a.b', a.b]\n") ==
        "3:25: \"domains\" lists \"a.b\" twice");
  CHECK(contains(refused("user: acme\nplan: p\ndomains: [A.b, a.b/c]\n"),
                 "3:11: \"domains\" must have hosts in lower"));
  CHECK(refused("user: acme\nplan: p\ndomains: a.b\n") == "3:10: \"domains\" must be a list: [one, two]");
  std::string many = "user: acme\nplan: p\ndomains:\n";
  for (std::size_t i = 0; i <= proto::kMaxDomainsPerTenant; ++i)
    many += "- d" + std::to_string(i) + ".example\n";
  CHECK(contains(refused(many), "\"domains\" must have at most 1500 entries"));
}

TEST_CASE("the manifest is a file below the home") {
  CHECK(contains(refused("user: acme\nplan: p\nmanifest: /etc/shadow\n"),
                 "3:11: \"manifest\" must be relative to the home, not the absolute path \"/etc/shadow\""));
  CHECK(contains(refused("user: acme\nplan: p\nmanifest: ../b/rowhouse.yaml\n"),
                 "\"manifest\" must not contain \"..\""));
  CHECK(refused("user: acme\nplan: p\nmanifest: .\n") ==
        "3:11: \"manifest\" must be a file below the home, not the home");
}

TEST_CASE("a tenant is suspended by a word, with or without a reason") {
  const std::string head = "user: acme\nplan: p\nsuspended: ";
  // "APP: REASON;" of each record.
  const auto suspended = [&](const std::string& word) {
    std::string text;
    for (const auto& record : good(word).suspensions) text += record.app.str() + ": " + record.reason.str() + ";";
    return text;
  };
  CHECK(suspended("user: acme\nplan: p\n") == "");
  CHECK(suspended(head + "false\n") == "");
  CHECK(suspended(head + "true\n") == ": ;");
  CHECK(suspended(head + "{ reason: 'unpaid since May' }\n") == ": unpaid since May;");
  CHECK(suspended(head + "{ reason: spam, apps: [shop, blog] }\n") == "shop: spam;blog: spam;");
  CHECK(contains(refused(head + "{ reason: x, apps: [a, a] }\n"), "\"suspended.apps\" lists \"a\" twice"));
  CHECK(contains(refused(head + "{ reason: x, apps: [A] }\n"), "\"suspended.apps\" must be a name"));
  CHECK(contains(refused(head + "{ reason: x, apps: [] }\n"), "suspended.apps"));
  CHECK(contains(refused(head + "{ apps: [a] }\n"), "the key \"reason\" is missing"));
  CHECK(contains(refused(head + "unpaid\n"), "3:12: \"suspended\", where it is no map { reason: TEXT }, must be true or false"));
  CHECK(contains(refused(head + "{}\n"), "3:12: the key \"reason\" is missing"));
  CHECK(contains(refused(head + "{ reason: \"a\\nb\" }\n"), "\"reason\" must be one line without control characters"));
  CHECK(contains(refused(head + "{ reason: " + std::string(201, 'x') + " }\n"), "\"reason\" must have at most 200 bytes"));
  CHECK(contains(refused(head + "{ reason: x, by: me }\n"), "unknown key \"by\""));
}

TEST_CASE("planned keys of a tenant are refused as such") {
  for (const char* key : {"owner", "groups", "rate", "memory", "cpu", "pids",
                          "workers", "threads", "concurrency", "queue"}) {
    CAPTURE(key);
    CHECK(refused("user: acme\nplan: p\n" + std::string(key) + ": 1\n") ==
          "3:1: \"" + std::string(key) + "\" is not supported yet");
  }
  CHECK(refused("user: acme\nplan: p\ndomain: a.b\n") ==
        "3:1: unknown key \"domain\"; did you mean \"domains\"?");
  CHECK(refused("[]\n") == "1:1: a tenant file must be a map: { key: value }");
  CHECK(contains(refused("user: acme\nplan: P\n"), "2:7: \"plan\" must be a name of 1 to 63 characters"));
}
