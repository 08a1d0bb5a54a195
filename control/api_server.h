// The listening socket of the API and its connections, within their caps.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "control/connection.h"
#include "control/registry.h"

namespace rowhouse::control {

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // Must lead to one send() or try_begin_stream(), now or later.
  virtual void on_api_request(ConnectionId id, uid_t uid, const HttpRequest& request) = 0;
  virtual void on_api_client_gone(ConnectionId id) = 0;
};

class ApiServer final : ConnectionListener {
 public:
  static constexpr std::size_t kMaxConnections = 256;
  static constexpr std::size_t kReservedForAdmins = 32;  // of them
  static constexpr std::size_t kMaxPerUid = 64;
  static constexpr std::size_t kMaxStrangers = 16;  // of callers without a role, who only get a refusal
  static constexpr std::size_t kMaxUnsentBytesPerUid = 8 * 1024 * 1024;  // before a large answer is begun
  static constexpr int kMaxTurnAccepts = 16;

  ApiServer(uv_loop_t* loop, const Registry& registry);

  // `handler` must outlive this object.
  void listen(UniqueFd listener, RequestHandler& handler);

  // Ignored when the connection has gone.
  void send(ConnectionId id, const Answer& answer);
  // False when the connection has gone.
  [[nodiscard]] bool try_begin_stream(ConnectionId id, std::string_view content_type,
                                      std::string_view first_bytes);
  // False when the client has gone or reads too slowly.
  [[nodiscard]] bool try_stream(ConnectionId id, std::string_view bytes);

  void close(ConnectionId id);
  // Accepts nobody from now on; `on_idle` when the last connection has gone.
  void retire(std::function<void()> on_idle);

  [[nodiscard]] std::size_t unsent_bytes_of(uid_t uid) const;

 private:
  enum class Accepted { kOne, kNone };
  void on_acceptable();
  Accepted accept_one();
  Accepted refuse_without_descriptor();
  void add_client(UniqueFd socket);
  [[nodiscard]] bool has_room_for(uid_t uid) const;
  [[nodiscard]] std::size_t count_strangers() const;
  Connection* find(ConnectionId id);
  void on_request(ConnectionId id, uid_t uid, const HttpRequest& request) override;
  void on_connection_closed(ConnectionId id) override;

  uv_loop_t* loop_;
  const Registry& registry_;
  RequestHandler* handler_ = nullptr;
  UniqueFd listener_;
  UniqueFd spare_;  // given up to refuse a client when no descriptor is left
  ConnectionId next_id_ = 1;
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> dead_;
  Timer reap_;
  std::function<void()> on_idle_;  // once retired
  std::unique_ptr<Poll> poll_;
};

}  // namespace rowhouse::control
