// A tenant as the API wants it: collected from control's messages, put together with what is in force, checked, and
// written as the text of a tenant file.  Pure: nothing here reads a file; the text is formatted from checked fields and
// never parsed by root.
//
// SECURITY: control is presumed taken over.  Every field is checked here before it becomes a part of a file, the loader
// reads the file back, and what it reads must be what was meant (tests/unit/supervisor/test_tenant_draft.cc).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/tenant_messages.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

struct TenantOrder {
  proto::TenantDraft draft;
  std::vector<Domain> domains;
};

// One draft at a time, whose messages follow each other.
class TenantDrafts {
 public:
  void begin(const proto::TenantDraft& draft);
  void add(const proto::TenantDraftDomain& domain);
  // The order, when it is whole; the draft is forgotten.
  [[nodiscard]] std::optional<TenantOrder> finish(const proto::TenantWrite& write);

 private:
  std::optional<TenantOrder> open_;
};

// What the tenant is when the order is carried out; `current` is null for one that is not in force.  With a `user`
// that the loader has still to look up, the ids are 0 and the home is empty.
[[nodiscard]] OrProblem<TenantEntry> merge_order(const TenantOrder& order, const TenantEntry* current);

// Everything that can be known before the loader has read the file.
[[nodiscard]] std::optional<Problem> check_wanted(const TenantEntry& wanted, const HostConfiguration& host,
                                                  const TenantIndex& accepted);

// The tenant's file.  REQUIRES: check_wanted() found nothing.
[[nodiscard]] std::string format_tenant_file(const TenantEntry& wanted);

// What the loader has read is not what was meant; nothing: it is.
[[nodiscard]] std::optional<Problem> compare_with_wanted(const TenantEntry& wanted, const TenantEntry& read);

}  // namespace rowhouse::supervisor
