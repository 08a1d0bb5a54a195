#include "supervisor/loader_session.h"

#include <csignal>

#include "base/foreign_files.h"
#include "supervisor/cgroups.h"

namespace rowhouse::supervisor {
namespace {

// Far more than the largest file takes, so that a host that boots with every tenant at once leaves none out.
constexpr std::chrono::seconds kDeadline{10};
// Every app with all its routes and statics, or the largest host file.
constexpr std::size_t kMaxRecords =
    proto::kMaxAppsPerTenant * (2 + proto::kMaxRoutesPerApp + proto::kMaxStaticsPerApp) + 4096;

}  // namespace

Result<std::unique_ptr<LoaderSession>> LoaderSession::start(uv_loop_t* loop, Launcher& launcher, int program,
                                                            LaunchUser user, const Cgroup& cgroup) {
  RH_ASSIGN(SocketPair pair, create_seqpacket_pair());
  RH_ASSIGN(const std::vector<UniqueFd> procs, cgroup.open_v1_procs());
  LaunchOrder order;
  order.record = {proto::KeptKind::kLoader, 0, launcher.keeper().next_start(), 0};
  order.program = program;
  order.arguments = {"rowhouse-loader"};
  order.environment = {"LANG=C.UTF-8", "PATH=/usr/bin:/bin"};
  order.user = user;
  order.control = pair.theirs.get();
  order.cgroup_v2 = cgroup.v2_directory();
  for (const UniqueFd& fd : procs) order.cgroup_v1_procs.push_back(fd.get());
  RH_ASSIGN(LaunchedProcess process, launcher.launch(order));
  return std::unique_ptr<LoaderSession>(new LoaderSession(loop, std::move(pair.ours), std::move(process)));
}

LoaderSession::LoaderSession(uv_loop_t* loop, UniqueFd socket, LaunchedProcess process)
    : process_(std::move(process)),
      deadline_(loop, [this] { fail("the loader did not answer within 10 s"); }),
      link_(loop, std::move(socket), proto::Peer::kLoader,
            {[this](proto::IncomingMessage& message) { on_message(message); },
             [this](const char*) { fail("the loader ended without an answer"); }}) {}

LoaderSession::~LoaderSession() {
  signal_process(process_.pidfd, SIGKILL);
  if (watch_.valid()) close_foreign_file(std::move(watch_));
  if (text_.valid()) close_foreign_file(std::move(text_));
}

void LoaderSession::begin(Callback on_outcome) {
  on_outcome_ = std::move(on_outcome);
  records_.clear();
  identity_ = {};
  if (text_.valid()) close_foreign_file(std::move(text_));
  if (watch_.valid()) close_foreign_file(std::move(watch_));
  deadline_.start(kDeadline);
}

// What comes beside the records; false when it is none of that.
bool LoaderSession::take_extra(proto::IncomingMessage& message) {
  if (message.type == proto::MessageType::kManifestIdentity) {
    const auto identity = proto::decode_message<proto::ManifestIdentity>(message);
    if (!identity.ok()) {
      fail("the loader sent a malformed message");
    } else {
      identity_ = identity.value().identity;
    }
    return true;
  }
  if (message.type == proto::MessageType::kManifestWatch) {
    if (watch_.valid() || !proto::decode_message<proto::ManifestWatch>(message).ok()) {
      fail("the loader sent a malformed message");
    } else {
      watch_ = std::move(message.descriptors.front());
    }
    return true;
  }
  if (message.type == proto::MessageType::kSourceText) {
    if (text_.valid() || !proto::decode_message<proto::SourceText>(message).ok()) {
      fail("the loader sent a malformed message");
    } else {
      text_ = std::move(message.descriptors.front());
    }
    return true;
  }
  if (message.type != proto::MessageType::kUnchanged) return false;
  LoadOutcome outcome;
  outcome.unchanged = true;
  outcome.failure = "the loader knows nothing and says that nothing has changed";  // where nothing was known
  finish(std::move(outcome));
  return true;
}

void LoaderSession::on_message(proto::IncomingMessage& message) {
  if (take_extra(message)) return;
  if (message.type == proto::MessageType::kLoadError) {
    if (!proto::decode_message<proto::LoadError>(message).ok()) return fail("the loader sent a malformed message");
    LoadOutcome outcome;
    outcome.problem = std::move(message.descriptors.front());
    return finish(std::move(outcome));
  }
  if (message.type == proto::MessageType::kLoaded) {
    const auto loaded = proto::decode_message<proto::Loaded>(message);
    if (!loaded.ok() || loaded.value().records != records_.size()) return fail("the loader lost a record");
    LoadOutcome outcome;
    outcome.loaded = true;
    outcome.records = std::move(records_);
    return finish(std::move(outcome));
  }
  if (records_.size() >= kMaxRecords) return fail("the loader sent too many records");
  records_.push_back(std::move(message));
}

void LoaderSession::finish(LoadOutcome outcome) {
  deadline_.stop();
  outcome.identity = identity_;
  outcome.watch = std::move(watch_);
  outcome.text = std::move(text_);
  const Callback on_outcome = std::exchange(on_outcome_, nullptr);
  if (on_outcome) on_outcome(std::move(outcome));
}

void LoaderSession::fail(const char* reason) {
  alive_ = false;
  LoadOutcome outcome;
  outcome.failure = reason;
  finish(std::move(outcome));
}

}  // namespace rowhouse::supervisor
