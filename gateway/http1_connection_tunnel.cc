// An HTTP/1.1 connection that has become a tunnel (PROTOCOL.request.md, "Tunnels"): the gateway passes bytes both
// ways, reads none of them, and ends a tunnel in which nothing moves.
#include <algorithm>

#include "gateway/caps.h"
#include "gateway/http1_connection.h"

namespace rowhouse::gateway {

void Http1Connection::on_tunnel(const proto::ResponseHead& head) {
  tunnel_ = true;
  answering_ = true;
  after_ = AfterAnswer::kClose;
  read_at_ = write_at_ = bench_.turn.now();
  writer_.append_tunnel_head(head, bench_.turn.date());
  flush_task_.schedule();
  resume_task_.schedule();  // the client may have sent more behind its request
}

std::size_t Http1Connection::use_tunnel(std::string_view bytes) {
  const std::string_view part = bytes.substr(0, exchange_.body_room());
  if (part.empty()) return 0;
  exchange_.send_body(part, proto::BodyPart::kMore);
  return part.size();
}

// The client sends no more: the worker is told after everything that came before.
void Http1Connection::end_tunnel_input() {
  if (!client_ended_ || tunnel_input_ended_ || state_ != State::kExchange || !input_.empty()) return;
  tunnel_input_ended_ = true;
  read_at_ = bench_.turn.now();
  exchange_.send_body({}, proto::BodyPart::kLast);
}

Instant Http1Connection::tunnel_deadline() const {
  if (tunnel_input_ended_) return read_at_ + kLingerTime;
  return std::max(read_at_, write_at_) + kTunnelIdleTime;
}

}  // namespace rowhouse::gateway
