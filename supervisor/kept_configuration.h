// What is in force - host, tenants, apps - as bytes in the keeper's store, so that a supervisor that takes over
// reads no file: what runs goes on with what it was started with, whatever the files say by now.  The bytes are the
// messages of proto/loader_messages.h, each after its length as u16.  Pure.
//
// SECURITY: root's own bytes; they are checked all the same, by the rules they were accepted by
// (tests/unit/supervisor/test_kept_configuration.cc).
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

[[nodiscard]] std::string encode_host(const HostConfiguration& host);
[[nodiscard]] std::optional<HostConfiguration> decode_host(ByteSpan bytes);

[[nodiscard]] std::string encode_tenant(const TenantEntry& tenant);
// Nothing when the tenant would not be accepted beside `accepted`.
[[nodiscard]] std::optional<TenantEntry> decode_tenant(ByteSpan bytes, const HostConfiguration& host,
                                                       const TenantIndex& accepted);

// All but its descriptors: the parts for worker and gateway, and the static directories.
[[nodiscard]] std::string encode_app(const AppSpec& spec);
[[nodiscard]] std::optional<AppSpec> decode_app(ByteSpan bytes);

}  // namespace rowhouse::supervisor
