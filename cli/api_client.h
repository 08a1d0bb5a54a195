// The API of rowhouse-control over its UNIX socket, by libcurl.  Never a proxy, never another protocol.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace rowhouse::cli {

struct Reply {
  long status = 0;  // 0: the daemon cannot be reached, or went away before the end; `failure` says how
  std::string body;
  std::string failure;
};

class ApiClient {
 public:
  static constexpr std::size_t kMaxBodyBytes = 256 * 1024 * 1024;

  explicit ApiClient(std::string socket) : socket_(std::move(socket)) {}
  [[nodiscard]] Reply get(const std::string& path) const;
  [[nodiscard]] Reply post(const std::string& path) const;
  enum class Method { kGet, kPost, kPut, kPatch, kDelete };
  // An order with a body, which may be empty.
  [[nodiscard]] Reply order(Method method, const std::string& path, const std::string& body) const;
  // Calls `on_bytes` with the body of a 200 as it arrives; any other body is in the reply.
  using BytesCallback = std::function<void(std::string_view)>;
  [[nodiscard]] Reply stream(const std::string& path, const BytesCallback& on_bytes) const;

 private:
  Reply perform(Method method, const std::string& path, const std::string& body, const BytesCallback& on_bytes) const;

  std::string socket_;
};

}  // namespace rowhouse::cli
