// Every key of the three files, by the map it stands in: what is read today, and what the design names but
// this version refuses as "not supported yet".  The schemas, the suggestions for typing errors and the test
// that compares the reference pages and the samples all read these tables.
#pragma once

#include <span>
#include <string_view>

namespace rowhouse::config {

struct KeyTable {
  std::string_view place;  // "a plan"
  std::span<const std::string_view> supported;
  std::span<const std::string_view> later;
};

namespace keys {

inline constexpr std::string_view kHost[] = {"listen", "gateway",   "control", "directories", "uids",
                                             "cgroup", "isolation", "pythons", "plans"};
inline constexpr std::string_view kHostLater[] = {"plans.d"};
inline constexpr std::string_view kListen[] = {"http", "proxy_protocol"};
inline constexpr std::string_view kListenLater[] = {"https"};
inline constexpr std::string_view kGateway[] = {"processes",       "user",         "connections_per_address",
                                                "trusted_proxies", "default_site", "acme_challenge",
                                                "penalties",       "forwarded"};
inline constexpr std::string_view kControl[] = {"socket", "user", "admins"};
inline constexpr std::string_view kDirectories[] = {"tenants", "state", "run", "logs"};
inline constexpr std::string_view kDirectoriesLater[] = {"plans", "plans.d"};
inline constexpr std::string_view kUids[] = {"min"};
inline constexpr std::string_view kCgroup[] = {"parent"};
inline constexpr std::string_view kIsolation[] = {"strict", "network"};
inline constexpr std::string_view kNetwork[] = {"mode", "sockets", "connect"};
inline constexpr std::string_view kPlan[] = {"memory",  "cpu",         "pids", "workers",
                                             "threads", "concurrency", "queue", "memory_high", "cpu_weight", "io_weight", "io", "network", "rate",
                                             "connections", "bytes_out"};
inline constexpr std::string_view kIo[] = {"read", "write"};

inline constexpr std::string_view kTenant[] = {"user",    "uid",      "gid",     "home",     "plan",
                                               "domains", "manifest", "network", "suspended"};
inline constexpr std::string_view kSuspended[] = {"reason", "apps"};
inline constexpr std::string_view kTenantLater[] = {"owner", "groups",  "rate",    "memory",      "cpu",
                                                    "pids",  "workers", "threads", "concurrency", "queue"};

inline constexpr std::string_view kManifest[] = {"apps"};
inline constexpr std::string_view kApp[] = {"routes",        "wsgi",         "asgi",        "app",    "factory",
                                            "directory",     "python",       "virtualenv",  "env",    "workers",
                                            "threads",       "concurrency",  "static",      "limits", "timeouts",
                                            "health",        "max_requests", "max_lifetime", "max_memory",
                                            "retry",         "cache_control", "redirect",    "error_pages", "compress",
                                            "buffering", "buffer_responses", "access_log",  "preload",
                                            "reload",        "share",        "gil"};
inline constexpr std::string_view kRedirect[] = {"to", "status", "keep_path"};
inline constexpr std::string_view kCompress[] = {"types", "min", "with_cookies"};
inline constexpr std::string_view kStatic[] = {"directory", "cache_control", "index", "fallback"};
inline constexpr std::string_view kWorkers[] = {"min", "max"};
inline constexpr std::string_view kLimits[] = {"memory", "cpu", "pids", "body"};
inline constexpr std::string_view kTimeouts[] = {"startup", "request", "queue", "graceful", "shutdown",
                                                 "idle",    "health"};
inline constexpr std::string_view kHealth[] = {"path", "interval"};

}  // namespace keys

inline constexpr KeyTable kHostTable{"the host file", keys::kHost, keys::kHostLater};
inline constexpr KeyTable kListenTable{"\"listen\"", keys::kListen, keys::kListenLater};
inline constexpr KeyTable kGatewayTable{"\"gateway\"", keys::kGateway, {}};
inline constexpr KeyTable kControlTable{"\"control\"", keys::kControl, {}};
inline constexpr KeyTable kDirectoriesTable{"\"directories\"", keys::kDirectories, keys::kDirectoriesLater};
inline constexpr KeyTable kUidsTable{"\"uids\"", keys::kUids, {}};
inline constexpr KeyTable kCgroupTable{"\"cgroup\"", keys::kCgroup, {}};
inline constexpr KeyTable kIsolationTable{"\"isolation\"", keys::kIsolation, {}};
inline constexpr KeyTable kNetworkTable{"\"network\"", keys::kNetwork, {}};
inline constexpr KeyTable kPlanTable{"a plan", keys::kPlan, {}};
inline constexpr KeyTable kIoTable{"\"io\"", keys::kIo, {}};
inline constexpr KeyTable kTenantTable{"a tenant file", keys::kTenant, keys::kTenantLater};
inline constexpr KeyTable kSuspendedTable{"\"suspended\"", keys::kSuspended, {}};
inline constexpr KeyTable kManifestTable{"a manifest", keys::kManifest, {}};
inline constexpr KeyTable kAppTable{"an app", keys::kApp, {}};
inline constexpr KeyTable kRedirectTable{"a redirect", keys::kRedirect, {}};
inline constexpr KeyTable kCompressTable{"\"compress\"", keys::kCompress, {}};
inline constexpr KeyTable kStaticTable{"a static prefix", keys::kStatic, {}};
inline constexpr KeyTable kWorkersTable{"\"workers\"", keys::kWorkers, {}};
inline constexpr KeyTable kLimitsTable{"\"limits\"", keys::kLimits, {}};
inline constexpr KeyTable kTimeoutsTable{"\"timeouts\"", keys::kTimeouts, {}};
inline constexpr KeyTable kHealthTable{"\"health\"", keys::kHealth, {}};

inline constexpr const KeyTable* kHostTables[] = {&kHostTable,        &kListenTable, &kGatewayTable,
                                                  &kControlTable,     &kUidsTable,   &kCgroupTable,
                                                  &kDirectoriesTable, &kPlanTable, &kIoTable,   &kIsolationTable, &kNetworkTable};
inline constexpr const KeyTable* kTenantTables[] = {&kTenantTable, &kNetworkTable, &kSuspendedTable};
inline constexpr const KeyTable* kManifestTables[] = {&kManifestTable, &kAppTable,      &kWorkersTable,
                                                      &kStaticTable,   &kRedirectTable, &kCompressTable,
                                                      &kLimitsTable,   &kTimeoutsTable, &kHealthTable};

}  // namespace rowhouse::config
