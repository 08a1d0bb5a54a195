#include <doctest/doctest.h>

#include "control/registry.h"

using namespace rowhouse::control;

TEST_CASE("only names of the house are names") {
  for (const char* good :
       {"a", "acme", "a-b-c", "0", "a23456789-123456789-123456789-123456789-123456789-123456789-123"}) {
    CHECK_MESSAGE(is_name(good), good);
  }
  for (const char* bad : {"", "-a", "A", "a_b", "a/b", "..", ".", "a\n", "\xc3\xa9", "_gateway",
                          "a23456789-123456789-123456789-123456789-123456789-123456789-1234"}) {
    CHECK_FALSE_MESSAGE(is_name(bad), bad);
  }
}

TEST_CASE("an admin sees every tenant that exists, a tenant itself, a stranger nothing") {
  Registry registry;
  registry.add_admin(0);
  registry.set_tenant("acme", 1001);
  registry.set_tenant("globex", 1002);
  CHECK(registry.role_of(0) == Role::kAdmin);
  CHECK(registry.role_of(1001) == Role::kTenant);
  CHECK(registry.role_of(1003) == Role::kNone);
  CHECK(registry.may_see(0, "acme"));
  CHECK_FALSE(registry.may_see(0, "none"));
  CHECK(registry.may_see(1001, "acme"));
  CHECK_FALSE(registry.may_see(1001, "globex"));
  CHECK_FALSE(registry.may_see(1003, "acme"));
  CHECK(registry.tenants_of(1002) == std::vector<std::string>{"globex"});
}

TEST_CASE("a tenant that is removed takes its role, its problems and its app names with it") {
  Registry registry;
  registry.add_admin(0);
  registry.set_tenant("acme", 1001);
  registry.set_problem("acme", {"bad"});
  registry.learn_app(7, {"acme", "site"});
  registry.remove_tenant("acme");
  CHECK(registry.role_of(1001) == Role::kNone);
  CHECK(registry.problems_for(0, "").empty());
  CHECK(registry.find_app(7) == nullptr);
}

TEST_CASE("problems are for admins and their own tenant") {
  Registry registry;
  registry.add_admin(0);
  registry.set_tenant("acme", 1001);
  registry.set_tenant("globex", 1002);
  registry.set_problem("acme", {"one", "two"});
  registry.set_problem("unregistered", {"three"});
  CHECK(registry.problems_for(0, "").size() == 3);
  CHECK(registry.problems_for(0, "acme").size() == 2);
  CHECK(registry.problems_for(1001, "").size() == 2);
  CHECK(registry.problems_for(1002, "").empty());
  CHECK(registry.problems_for(1002, "acme").empty());
  registry.set_problem("acme", {});
  CHECK(registry.problems_for(1001, "").empty());
}

TEST_CASE("a suspension is the tenant's or an app's, until it is lifted or the tenant goes") {
  Registry registry;
  registry.set_tenant("acme", 1001);
  const AppName shop{"acme", "shop"}, blog{"acme", "blog"}, other{"globex", "shop"};
  CHECK(registry.suspension_of(shop) == nullptr);
  registry.set_suspension(shop, "spam");
  REQUIRE(registry.suspension_of(shop) != nullptr);
  CHECK(*registry.suspension_of(shop) == "spam");
  CHECK(registry.suspension_of(blog) == nullptr);
  CHECK(registry.suspension_of(other) == nullptr);
  registry.set_suspension({"acme", ""}, "unpaid");
  for (const AppName& app : {shop, blog}) {
    REQUIRE(registry.suspension_of(app) != nullptr);
    CHECK(*registry.suspension_of(app) == "unpaid");
  }
  CHECK(registry.suspension_of(other) == nullptr);
  registry.lift_suspensions("acme");
  CHECK(registry.suspension_of(shop) == nullptr);
  CHECK(registry.suspension_of(blog) == nullptr);
  registry.set_suspension({"acme", ""}, "");
  registry.remove_tenant("acme");
  CHECK(registry.suspension_of(blog) == nullptr);
}

TEST_CASE("a tenant that makes new apps for ever has a bounded number of names here") {
  Registry registry;
  for (std::uint32_t number = 1; number <= 1000; ++number) {
    registry.learn_app(number, {"acme", "a" + std::to_string(number)});
  }
  registry.learn_app(2000, {"globex", "shop"});
  CHECK(registry.find_app(1) == nullptr);
  CHECK(registry.find_app(1000 - Registry::kMaxNumbersPerTenant) == nullptr);
  REQUIRE(registry.find_app(1001 - Registry::kMaxNumbersPerTenant) != nullptr);
  CHECK(registry.find_app(1000)->text() == "acme/a1000");
  CHECK(registry.find_app(2000)->text() == "globex/shop");
}

TEST_CASE("app number 0 and names that cannot be never get a name") {
  Registry registry;
  registry.learn_app(0, {"acme", "site"});
  registry.learn_app(1, {"..", "site"});
  CHECK(registry.find_app(0) == nullptr);
  CHECK(registry.find_app(1) == nullptr);
}
