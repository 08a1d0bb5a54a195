// The real rowhouse-loader as the supervisor runs it: exec-ed by descriptor as another user, with its control
// socket as descriptor 3.
#pragma once

#include <sys/types.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/message_socket.h"
#include "proto/live_messages.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

inline constexpr uid_t kTenantUid = 64'101;
inline constexpr uid_t kNobodyUid = 65'534;

// What the loader answered to one Load... message.
struct Answer {
  std::vector<proto::IncomingMessage> records;  // without the last message
  bool loaded = false;
  std::string sentences;  // of a LoadError
  std::optional<std::string> source;  // of a SourceText
};

class LoaderProcess {
 public:
  // Dies when the process cannot be made.  REQUIRES: root.
  explicit LoaderProcess(uid_t uid);
  // Ends a loader that is still there.
  ~LoaderProcess();
  LoaderProcess(const LoaderProcess&) = delete;
  LoaderProcess& operator=(const LoaderProcess&) = delete;

  template <proto::ControlMessage M>
  void send(const M& message, std::initializer_list<int> descriptors = {}) {
    if (!proto::send_control(socket_.get(), message, descriptors).ok()) std::abort();
  }
  void send_bytes(ByteSpan bytes);
  // Waits up to 20 s for each message; an answer without an end has neither `loaded` nor sentences.
  Answer receive();
  void ask_for_manifest(const std::string& home, const std::string& manifest);
  // Returns when the loader has filled the socket and waits for us to read.
  void wait_until_stuck();
  Answer load_kept_manifest(const std::string& home, const std::string& text);
  Answer load_manifest(const std::string& home, const std::string& manifest = "rowhouse.yaml");
  // Closes the socket, waits, and returns the exit status; -1 when a signal ended it.
  int finish();

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  UniqueFd socket_;
  pid_t pid_ = -1;
};

// Runs the loader with arguments as ourselves; its exit status, and what it wrote to stdout in `out`.
int run_loader(const std::vector<std::string>& arguments, std::string& out);

// The record as M; fails the test when it is another one.
template <proto::ControlMessage M>
M as(const proto::IncomingMessage& record) {
  const auto decoded = proto::decode_message<M>(record);
  if (!decoded.ok()) throw std::runtime_error("another record than expected");
  return decoded.value();
}

}  // namespace rowhouse::config
