// Orders about tenants and manifests, and questions about tenants, that wait for the supervisor's answers.  Like
// Inquiries, pure bookkeeping; the numbers of the two never meet, because ReloadChanges belong to both.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "proto/reload_messages.h"
#include "proto/tenant_messages.h"

namespace rowhouse::control {

struct TenantOrderFound {
  proto::TenantWritten done;
  std::vector<proto::ReloadChange> changes;
  std::vector<proto::TenantChange> tenants;
  std::vector<std::string> sentences;  // of a refusal
};

struct TenantFound {
  proto::TenantDetail detail;
  std::vector<proto::TenantDetailDomain> domains;
};
struct TenantsFound {
  std::vector<TenantFound> tenants;
  bool more = false;
};

// Nothing: the supervisor did not answer in time.
using TenantOrderAnswer = std::function<void(std::optional<TenantOrderFound>)>;
using TenantsAnswer = std::function<void(std::optional<TenantsFound>)>;

struct TenantDraftText {
  proto::TenantDraft draft;
  std::vector<proto::TenantDraftDomain> domains;
};

class TenantOrderSender {
 public:
  virtual ~TenantOrderSender() = default;
  virtual void send_draft(const TenantDraftText& draft) = 0;
  virtual void send_removal(const proto::TenantRemoval& removal) = 0;
  virtual void send_tenant_query(const proto::TenantQuery& query) = 0;
  virtual void send_manifest(const proto::ManifestOrder& order, int text) = 0;
};

class TenantInquiries {
 public:
  // Orders and questions that the supervisor has before it at one time; the others wait here.
  static constexpr std::size_t kMaxRunning = 8;
  static constexpr std::size_t kMaxWaiting = 1024;
  static constexpr Duration kOrderDeadline = std::chrono::minutes(5);
  static constexpr Duration kRemovalDeadline = std::chrono::minutes(30);
  static constexpr Duration kQueryDeadline = std::chrono::seconds(10);
  static constexpr std::uint32_t kFirstRequest = 0x80000000;

  TenantInquiries(TenantOrderSender& sender, const Clock& clock) : sender_(sender), clock_(clock) {}

  // Each runs to its end, whoever waits for it.  False when too many wait already.
  [[nodiscard]] bool write(TenantDraftText draft, TenantOrderAnswer answer);
  [[nodiscard]] bool remove(const std::string& tenant, TenantOrderAnswer answer);
  [[nodiscard]] bool put_manifest(const std::string& tenant, proto::ManifestUse use, UniqueFd text,
                                  TenantOrderAnswer answer);
  [[nodiscard]] bool query(const proto::TenantQuery& query, TenantsAnswer answer);

  // Answers; those to what is no longer open are ignored.
  void on_change(const proto::ReloadChange& change);
  void on_tenant_change(const proto::TenantChange& change);
  void on_written(const proto::TenantWritten& written, std::vector<std::string> sentences);
  void on_manifest_done(const proto::ReloadDone& done, std::vector<std::string> sentences);
  void on_detail(const proto::TenantDetail& detail);
  void on_domain(const proto::TenantDetailDomain& domain);
  void on_query_end(const proto::TenantQueryEnd& end);
  // Asks again, under the same numbers, what a supervisor that has died since has not answered.
  void repeat();
  void sweep();

 private:
  enum class Kind : std::uint8_t { kWrite, kRemoval, kManifest, kQuery };
  struct Running {
    Kind kind = Kind::kQuery;
    TenantDraftText draft;
    proto::TenantRemoval removal;
    proto::ManifestOrder manifest;
    UniqueFd text;
    proto::TenantQuery query;
    TenantOrderFound found;
    TenantsFound tenants;
    TenantOrderAnswer order_answer;
    TenantsAnswer query_answer;
    bool repeated = false;
    Instant deadline;
  };
  bool enqueue(Running running);
  void start_waiting();
  void send(const Running& running);
  Running* find(std::uint32_t request);
  void finish(std::uint32_t request, proto::TenantWritten done, std::vector<std::string> sentences);
  static void give_up(const Running& running);

  TenantOrderSender& sender_;
  const Clock& clock_;
  std::uint32_t next_request_ = kFirstRequest;
  std::deque<Running> waiting_;
  std::map<std::uint32_t, Running> running_;
};

}  // namespace rowhouse::control
