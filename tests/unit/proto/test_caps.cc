// The caps that both pages name are the ones of limits.h.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "page.h"
#include "proto/limits.h"

namespace rowhouse::proto::test {
namespace {

const std::map<std::string, std::uint64_t> kCaps = {
    {"kRequestProtocolVersion", kRequestProtocolVersion},
    {"kFrameHeaderBytes", kFrameHeaderBytes},
    {"kMaxFramePayloadBytes", kMaxFramePayloadBytes},
    {"kMaxDataBytes", kMaxDataBytes},
    {"kStreamWindowBytes", kStreamWindowBytes},
    {"kMaxWindowBytes", kMaxWindowBytes},
    {"kMaxFields", kMaxFields},
    {"kMaxFieldBytes", kMaxFieldBytes},
    {"kMaxHeadBytes", kMaxHeadBytes},
    {"kMaxTargetBytes", kMaxTargetBytes},
    {"kMaxReasonBytes", kMaxReasonBytes},
    {"kMaxPrefetch", kMaxPrefetch},
    {"kMaxThreads", kMaxThreads},
    {"kMaxConcurrency", kMaxConcurrency},
    {"kMessageHeaderBytes", kMessageHeaderBytes},
    {"kMaxMessageBytes", kMaxMessageBytes},
    {"kLifelineRecordBytes", kLifelineRecordBytes},
    {"kMaxNameBytes", kMaxNameBytes},
    {"kMaxHostBytes", kMaxHostBytes},
    {"kMaxPrefixBytes", kMaxPrefixBytes},
    {"kMaxPathBytes", kMaxPathBytes},
    {"kMaxErrorTextBytes", kMaxErrorTextBytes},
    {"kMaxWorkerPartBytes", kMaxWorkerPartBytes},
    {"kMaxGatewayPartBytes", kMaxGatewayPartBytes},
    {"kMaxErrorPages", kMaxErrorPages},
    {"kMaxCompressTypes", kMaxCompressTypes},
    {"kMaxGateways", kMaxGateways},
    {"kMaxApps", kMaxApps},
    {"kMaxWorkers", kMaxWorkers},
    {"kMaxRoutesPerApp", kMaxRoutesPerApp},
    {"kMaxStaticsPerApp", kMaxStaticsPerApp},
    {"kMaxAppsPerTenant", kMaxAppsPerTenant},
    {"kMaxAppsPerShare", kMaxAppsPerShare},
    {"kMaxDomainsPerTenant", kMaxDomainsPerTenant},
    {"kMaxTouchPathsPerApp", kMaxTouchPathsPerApp},
    {"kMaxTouchPaths", kMaxTouchPaths},
    {"kMaxReasonOfSuspensionBytes", kMaxReasonOfSuspensionBytes},
    {"kMaxConfigurationBytes", kMaxConfigurationBytes},
    {"kMaxSocketsPerNetwork", kMaxSocketsPerNetwork},
    {"kMaxPortsPerNetwork", kMaxPortsPerNetwork},
    {"kMaxReloadChanges", kMaxReloadChanges},
    {"kMaxKept", kMaxKept},
    {"kAdoptionSeconds", kAdoptionSeconds},
};

void check_page(const std::string& path, std::size_t at_least) {
  const std::string page = read_source(path);
  const auto named = page_caps(page);
  CHECK(named.size() >= at_least);
  for (const auto& [name, value] : named) {
    CAPTURE(name);
    REQUIRE(kCaps.contains(name));
    CHECK(kCaps.at(name) == value);
  }
  for (const std::string& name : page_cap_names(page)) {
    CAPTURE(name);
    CHECK(kCaps.contains(name));
  }
}

TEST_CASE("the numbers in PROTOCOL.request.md are those of limits.h") {
  check_page("proto/PROTOCOL.request.md", 5);
}
TEST_CASE("the numbers in PROTOCOL.control.md are those of limits.h") {
  check_page("proto/PROTOCOL.control.md", 16);
}

}  // namespace
}  // namespace rowhouse::proto::test
