#include "supervisor/jail/request.h"

#include <algorithm>
#include <array>

#include "proto/lifeline.h"

namespace rowhouse::jail {
namespace {

// 0 is root, 65534 and 65535 are "nobody" and the old -1, 2^32-1 means "leave unchanged" to setresuid(2).
constexpr std::array<std::uint32_t, 4> kReservedIds = {0, 65534, 65535, 0xffffffff};

// Places inside the sandbox that are the jail's own.
constexpr std::array<std::string_view, 5> kOwnDirectories = {"/etc", "/dev", "/proc", "/sys", "/.rowhouse"};

bool is_reserved(std::uint32_t id) {
  return std::find(kReservedIds.begin(), kReservedIds.end(), id) != kReservedIds.end();
}

bool is_within(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

bool is_in_own_directory(std::string_view path) {
  return std::any_of(kOwnDirectories.begin(), kOwnDirectories.end(),
                     [path](std::string_view directory) { return is_within(path, directory); });
}

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), plain);
}

// A login name as some directory service may give it, but harmless as a field of /etc/passwd.
bool is_plain_user(std::string_view user) {
  const auto bad = [](unsigned char c) { return c <= ' ' || c == 0x7f || c == ':' || c == '/'; };
  return !user.empty() && user.front() != '-' && user.front() != '+' &&
         std::none_of(user.begin(), user.end(), bad);
}

// Absolute and without empty, "." and ".." components.
bool is_normal_path(std::string_view path) {
  if (path.size() < 2 || path.front() != '/') return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view component = path.substr(0, path.find('/'));
    if (component.empty() || component == "." || component == "..") return false;
    path.remove_prefix(component.size());
  }
  return true;
}

// Also harmless as a field of /etc/passwd.
bool is_plain_path(std::string_view path) {
  return is_normal_path(path) && std::none_of(path.begin(), path.end(), [](unsigned char c) {
           return c < ' ' || c == 0x7f || c == ':';
         });
}

Status take_mount(proto::IncomingMessage& incoming, SandboxRequest& request) {
  RH_ASSIGN(const proto::JailMount mount, proto::decode_message<proto::JailMount>(incoming));
  const bool is_first = request.mounts.empty();
  if (is_first != (mount.path.view() == proto::kWorkerPathInSandbox)) {
    return make_error(ErrorCode::kInvalid, "JailMount: the worker comes first, once");
  }
  if (!is_first) RH_TRY(check_mount_path(mount.path.view()));
  if (request.mounts.size() == kMaxReceivedMounts) return make_error(ErrorCode::kTooLarge, "JailMount");
  request.mounts.push_back({std::move(incoming.descriptors[0]), mount.path});
  return {};
}

Status take_port(const proto::IncomingMessage& incoming, SandboxRequest& request) {
  RH_ASSIGN(const proto::JailPort port, proto::decode_message<proto::JailPort>(incoming));
  if (port.port == 0) return make_error(ErrorCode::kInvalid, "JailPort 0");
  if (request.ports.size() == proto::kMaxPortsPerNetwork) return make_error(ErrorCode::kTooLarge, "JailPort");
  request.ports.push_back(port.port);
  return {};
}

Status take_touch(const proto::IncomingMessage& incoming, SandboxRequest& request) {
  RH_ASSIGN(const proto::JailWatch watch, proto::decode_message<proto::JailWatch>(incoming));
  if (request.touches.size() == proto::kMaxTouchPaths) return make_error(ErrorCode::kTooLarge, "JailWatch");
  request.touches.push_back(watch.path.str());
  return {};
}

}  // namespace

Status check_touch_path(std::string_view path, std::string_view home) {
  if (is_normal_path(path) && is_within(path, home) && path != home) return {};
  return make_error(ErrorCode::kInvalid, "JailWatch path");
}

Status check_mount_path(std::string_view path) {
  if (is_plain_path(path) && !is_in_own_directory(path)) return {};
  return make_error(ErrorCode::kInvalid, "JailMount path");
}

Status check_setup(const proto::JailSetup& setup) {
  if (is_reserved(setup.uid) || is_reserved(setup.gid))
    return make_error(ErrorCode::kInvalid, "JailSetup uid or gid");
  if (!is_plain_name(setup.tenant.view()) || !is_plain_name(setup.app.view()) ||
      !is_plain_user(setup.user.view())) {
    return make_error(ErrorCode::kInvalid, "JailSetup name");
  }
  const std::string_view home = setup.home.view();
  if (!is_plain_path(home)) return make_error(ErrorCode::kInvalid, "JailSetup home");
  // A home below /usr would come with all its neighbours, which the sandbox sees there.
  if (is_in_own_directory(home) || is_within(home, "/usr")) {
    return make_error(ErrorCode::kInvalid, "JailSetup home in a system directory");
  }
  // To tmpfs a size or inode count of 0 means: without limit.
  if (setup.open_files == 0 || setup.tmp_bytes == 0 || setup.tmp_inodes == 0) {
    return make_error(ErrorCode::kInvalid, "JailSetup limit of zero");
  }
  return {};
}

Result<SandboxRequest> receive_request(int control) {
  SandboxRequest request;
  for (;;) {
    RH_ASSIGN(proto::IncomingMessage incoming, proto::wait_for_control(control, -1));
    if (incoming.type == proto::MessageType::kJailMount) {
      RH_TRY(take_mount(incoming, request));
      continue;
    }
    if (incoming.type == proto::MessageType::kJailPort) {
      RH_TRY(take_port(incoming, request));
      continue;
    }
    if (incoming.type == proto::MessageType::kJailWatch) {
      RH_TRY(take_touch(incoming, request));
      continue;
    }
    RH_ASSIGN(request.setup, proto::decode_message<proto::JailSetup>(incoming));
    if (request.mounts.empty()) return make_error(ErrorCode::kInvalid, "JailSetup without a worker program");
    RH_TRY(check_setup(request.setup));
    for (const std::string& path : request.touches) RH_TRY(check_touch_path(path, request.setup.home.view()));
    return request;
  }
}

}  // namespace rowhouse::jail
