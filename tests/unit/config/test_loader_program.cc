// Manifests through the real loader as their tenant.  REQUIRES: root.
#include <doctest/doctest.h>
#include <fcntl.h>

#include "base/files.h"
#include "proto/gateway_part.h"
#include "proto/worker_part.h"
#include "tenant_fixture.h"

using namespace rowhouse;
using namespace rowhouse::config;

TEST_CASE_FIXTURE(TenantFixture, "a manifest becomes records in the order of the file") {
  furnish();
  LoaderProcess loader(kTenantUid);
  const Answer answer = loader.load_manifest(home);
  CHECK(answer.sentences == "");
  REQUIRE(answer.loaded);
  REQUIRE(answer.records.size() == 8);
  const auto blog = as<proto::AppRecord>(answer.records[0]);
  CHECK(blog.name.view() == "blog");
  CHECK(blog.python.view() == "3.11");
  CHECK(blog.threads == 4);
  CHECK(as<proto::RouteRecord>(answer.records[1]).host.view() == "acme.example");
  CHECK(as<proto::RouteRecord>(answer.records[2]).prefix.view() == "/blog");
  CHECK(as<proto::StaticRecord>(answer.records[3]).prefix.view() == "/static/");
  CHECK(answer.records[4].type == proto::MessageType::kGatewayPartRecord);
  CHECK(as<proto::AppRecord>(answer.records[5]).python.view() == "3.12");
  CHECK(as<proto::RouteRecord>(answer.records[6]).prefix.view() == "/shop");
  const auto bytes = read_sealed_memory(answer.records[4].descriptors.at(0).get(), proto::kMaxGatewayPartBytes);
  REQUIRE(bytes.ok());
  const auto part = proto::parse_gateway_part(as_bytes(bytes.value()));
  REQUIRE(part.ok());
  CHECK(part.value().statics.at(0).prefix == "/static/");
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture, "the worker part is sealed and has absolute paths") {
  furnish();
  LoaderProcess loader(kTenantUid);
  const Answer answer = loader.load_manifest(home);
  REQUIRE(answer.records.size() == 8);
  const auto bytes =
      read_sealed_memory(answer.records[0].descriptors.at(0).get(), proto::kMaxWorkerPartBytes);
  REQUIRE(bytes.ok());
  const auto part = proto::parse_worker_part(as_bytes(bytes.value()));
  REQUIRE(part.ok());
  CHECK(part.value().tenant == "acme");
  CHECK(part.value().app == "blog");
  CHECK(part.value().module == "blog.wsgi");
  CHECK(part.value().home == home);
  CHECK(part.value().directory == home + "/blog");
  CHECK(part.value().virtualenv == home + "/venv");
  CHECK(part.value().python == "3.11");
  CHECK(part.value().threads == 4);
  CHECK(part.value().environment == std::vector<std::pair<std::string, std::string>>{
                                        {"USER", "acme-user"}, {"LOGNAME", "acme-user"}, {"A", "b"}});
  const auto script =
      read_sealed_memory(answer.records[5].descriptors.at(0).get(), proto::kMaxWorkerPartBytes);
  REQUIRE(script.ok());
  CHECK(proto::parse_worker_part(as_bytes(script.value())).value().module == home + "/shop.py");
}

TEST_CASE_FIXTURE(TenantFixture, "a static prefix brings its directory, which gives only its own files") {
  furnish();
  LoaderProcess loader(kTenantUid);
  const Answer answer = loader.load_manifest(home);
  REQUIRE(answer.records.size() == 8);
  struct stat sent {
  }, named{};
  REQUIRE(::fstat(answer.records[3].descriptors.at(0).get(), &sent) == 0);
  REQUIRE(::stat((home + "/blog/static").c_str(), &named) == 0);
  CHECK(sent.st_ino == named.st_ino);
  CHECK(sent.st_dev == named.st_dev);
  CHECK((::fcntl(answer.records[3].descriptors.at(0).get(), F_GETFL) & O_PATH) != 0);
}

TEST_CASE_FIXTURE(TenantFixture, "one loader answers many requests, good and bad") {
  furnish();
  LoaderProcess loader(kTenantUid);
  CHECK(loader.load_manifest(home).loaded);
  CHECK(loader.load_manifest(home, "missing.yaml").sentences ==
        home + "/missing.yaml:1:1: the manifest does not exist\n");
  CHECK(loader.load_manifest(home).loaded);
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture, "every missing file of a manifest is a sentence, and no app counts") {
  scratch.write("home/rowhouse.yaml", kManifest);
  scratch.give_to(kTenantUid);
  LoaderProcess loader(kTenantUid);
  const Answer answer = loader.load_manifest(home);
  CHECK_FALSE(answer.loaded);
  const std::string file = home + "/rowhouse.yaml";
  CHECK(answer.sentences == file + ":5:16: \"directory\" names \"blog\", which does not exist\n" + file +
                                ":6:17: \"virtualenv\" names \"venv\", which does not exist\n" + file +
                                ":9:25: \"/static/\" names \"blog/static\", which does not exist\n" + file +
                                ":10:46: \"wsgi\" names \"shop.py\", which does not exist\n");
}

TEST_CASE_FIXTURE(TenantFixture, "the largest manifest reaches a supervisor that reads late") {
  std::string manifest = "apps:\n";
  for (int app = 0; app < 64; ++app) {
    const std::string n = std::to_string(app);
    manifest += " a" + n + ":\n  routes: [a.b/" + n + "]\n  wsgi: a:b\n  static:\n";
    for (int entry = 0; entry < 16; ++entry) manifest += "   /" + std::to_string(entry) + "/: s\n";
  }
  scratch.make_directory("home/s");
  scratch.write("home/rowhouse.yaml", manifest);
  scratch.give_to(kTenantUid);
  LoaderProcess loader(kTenantUid);
  // Far more descriptors than the tenant may have under way: the loader must wait until they are taken.
  loader.ask_for_manifest(home, "rowhouse.yaml");
  loader.wait_until_stuck();
  const Answer answer = loader.receive();
  CHECK(answer.loaded);
  CHECK(answer.records.size() == 64 * 19);
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture, "a kept manifest is read as the file would be, although there is none") {
  furnish();
  LoaderProcess loader(kTenantUid);
  const std::string text =
      "apps:\n  site:\n    routes: [acme.example]\n    wsgi: blog.wsgi:application\n    static: { /static/: blog/static }\n"
      "    reload: touch\n";
  const Answer answer = loader.load_kept_manifest(home, text);
  CHECK(answer.sentences == "");
  REQUIRE(answer.loaded);
  REQUIRE(answer.records.size() == 7);
  CHECK(as<proto::AppRecord>(answer.records[0]).name.view() == "site");
  CHECK(as<proto::StaticRecord>(answer.records[2]).prefix.view() == "/static/");
  CHECK(as<proto::TouchRecord>(answer.records[3]).path.view() == "tmp/restart.txt");
  CHECK(as<proto::TouchRecord>(answer.records[4]).path.view() == "blog/wsgi.py");
  CHECK(as<proto::TouchRecord>(answer.records[5]).path.view() == "blog/wsgi/__init__.py");
  const Answer refused = loader.load_kept_manifest(home, "apps: [\n");
  CHECK_FALSE(refused.loaded);
  CHECK(refused.sentences.find("rowhouse.yaml, as it was accepted last:") != std::string::npos);
  const Answer nowhere = loader.load_kept_manifest(home + "/nowhere", text);
  CHECK(nowhere.sentences.find("the home") != std::string::npos);
  CHECK(loader.finish() == 0);
}
