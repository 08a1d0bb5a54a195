#include "control/advice.h"

namespace rowhouse::control {
namespace {

using proto::Cause;

std::string restart(const AppName& app) {
  return "rowhouse restart " + app.text();
}

std::string advice_for_start(const AppName& app, std::string_view step, std::string_view exception) {
  if (exception.starts_with("ModuleNotFoundError")) {
    return "Install the module into the app's virtualenv, which `virtualenv` in the manifest must name, or correct the "
           "import; then: " +
           restart(app);
  }
  if (step == "enter directory") return "Correct `directory` in the manifest; then: " + restart(app);
  if (step == "check virtualenv") {
    return "Make the virtualenv anew with the app's Python version, or correct `virtualenv` or `python` in the "
           "manifest; then: " +
           restart(app);
  }
  if (step == "find callable") return "Correct `wsgi` in the manifest, or the name in the module; then: " + restart(app);
  if (step == "start threads") return "Ask for fewer `threads` in the manifest, or for more `pids` in the plan.";
  return "Correct the app; its traceback is in: rowhouse logs " + app.text() + " ; then: " + restart(app);
}

}  // namespace

std::string advice_for(Cause cause, const AppName& app, std::string_view step, std::string_view exception) {
  switch (cause) {
    case Cause::kImport: return advice_for_start(app, step, exception);
    case Cause::kExit:
      return "Find out why the app ends itself (os._exit, a library, a fatal error of Python): rowhouse logs " + app.text();
    case Cause::kSignal:
      return "A crash is a fault of native code: look at the extension modules of the app. SIGKILL without RH-OOM was "
             "sent by somebody with the app's uid, or root.";
    case Cause::kOom:
    case Cause::kMaxMemory:
      return "Let the app use less memory (fewer threads or workers, smaller results), or raise `limits.memory` in the "
             "manifest or the plan.";
    case Cause::kSeccomp: return "Do without the system call that is named: no plan allows it.";
    case Cause::kStartTimeout:
      return "Let the app wait for nothing while it is imported (databases, networks), or raise `timeouts.startup`.";
    case Cause::kRequestTimeout: return "Make the request faster, move its work out of it, or raise `timeouts.request`.";
    case Cause::kProtocol: return "Let the app leave alone the descriptors that are not its own (closing all of them, for example).";
    case Cause::kSpawn: return "Ask the operator: the log of rowhoused and `rowhouse doctor` say what the host lacks.";
    case Cause::kHealth:
      return "Ask the app for `health.path` yourself: it must answer with a status from 200 to 399 within `timeouts.health`.";
    case Cause::kUnconfined: return "Ask the operator what else changes cgroups on this host.";
    case Cause::kConfig: return "Correct the manifest; rowhouse status shows what is wrong in it.";
    case Cause::kSuspended: return "Ask the operator why it is suspended.";
    case Cause::kStopped: return "Start it: rowhouse start " + app.text();
    case Cause::kAppError: return "The traceback stands beside the request id in: rowhouse logs " + app.text();
    case Cause::kBadResponse: return "Correct the field or the Content-Length that the app sends for this request.";
    case Cause::kQueueFull:
    case Cause::kQueueTimeout:
      return "Make requests faster, or ask for more `workers` or `threads` in the manifest, within the plan.";
    case Cause::kTooLarge: return "Send less, or raise `limits.body` in the manifest.";
    case Cause::kNoRoute:
    case Cause::kNoHost: return "Add the host and path to `routes` of an app's manifest, under a domain of the tenant.";
    case Cause::kForbidden: return "Let the name lead to a plain file of the tenant's, without symbolic links.";
    case Cause::kConnections: return "If these were visitors and no flood, ask for a plan with more \"connections\".";
    case Cause::kSpool: return "Ask the operator: the disk below directories.state has errors.";
    case Cause::kFileMode: return "Make the file readable by others: chmod o+r.";
    case Cause::kFileOwner: return "Replace the file by a copy that the tenant owns.";
    case Cause::kFileLinks: return "Replace the file by a copy of its own: it may have no other hard link.";
    case Cause::kWorkerGone:
    case Cause::kBackoff: return "See why its workers die: rowhouse explain " + app.text();
    case Cause::kNone:
    case Cause::kIdle:
    case Cause::kMaxRequests:
    case Cause::kMaxLifetime:
    case Cause::kRestart:
    case Cause::kShutdown:
    case Cause::kKilled:
    case Cause::kUnresponsive:
    case Cause::kBadRequest:
    case Cause::kClientTimeout:
    case Cause::kRate: return {};
  }
  return {};
}

}  // namespace rowhouse::control
