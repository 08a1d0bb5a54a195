#include "http_client.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <stdexcept>

namespace rowhouse::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

std::size_t parse_number(std::string_view text, int base) {
  return static_cast<std::size_t>(std::strtoull(std::string(text).c_str(), nullptr, base));
}

}  // namespace

bool wait_readable(int fd, int timeout_ms) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, timeout_ms) > 0;
}

std::string HttpAnswer::field(std::string_view name) const {
  const std::string key = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(key);
  if (at == std::string::npos) return "";
  const std::size_t start = at + key.size();
  return head.substr(start, head.find("\r\n", start) - start);
}

HttpClient::HttpClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
}

void HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) fail("client send");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::size_t HttpClient::try_send(std::string_view bytes) {
  const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void HttpClient::end_sending() {
  ::shutdown(socket_.get(), SHUT_WR);
}

void HttpClient::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

bool HttpClient::fill(int timeout_ms) {
  if (ended_ || !wait_readable(socket_.get(), timeout_ms)) return false;
  char buffer[65536];
  const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (count <= 0) {
    ended_ = true;
    reset_ = count < 0;
    return false;
  }
  input_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

std::string HttpClient::read_some(std::size_t count, int timeout_ms) {
  while (input_.size() < count && fill(timeout_ms)) {
  }
  std::string result = input_;
  input_.clear();
  return result;
}

std::string HttpClient::read_to_end() {
  while (fill(kPatienceMs)) {
  }
  if (!ended_) fail("the connection does not end");
  std::string result = input_;
  input_.clear();
  return result;
}

bool HttpClient::is_closed_by_gateway() {
  while (fill(kPatienceMs)) {
  }
  return ended_ && input_.empty();
}

HttpAnswer HttpClient::read_answer(std::string_view method) {
  HttpAnswer answer;
  std::size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(kPatienceMs)) return answer;
  }
  answer.head = input_.substr(0, end + 4);
  input_.erase(0, end + 4);
  answer.status = std::atoi(answer.head.c_str() + 9);
  const bool has_body =
      method != "HEAD" && answer.status >= 200 && answer.status != 204 && answer.status != 304;
  const std::string length = answer.field("Content-Length");
  if (!has_body) {
    answer.complete = true;
  } else if (!length.empty()) {
    const std::size_t wanted = parse_number(length, 10);
    while (input_.size() < wanted && fill(kPatienceMs)) {
    }
    answer.complete = input_.size() >= wanted;
    answer.body = input_.substr(0, wanted);
    input_.erase(0, wanted);
  } else if (answer.field("Transfer-Encoding") == "chunked") {
    while (true) {
      std::size_t line = 0;
      while ((line = input_.find("\r\n")) == std::string::npos) {
        if (!fill(kPatienceMs)) return answer;
      }
      const std::size_t size = parse_number(input_.substr(0, line), 16);
      while (input_.size() < line + 4 + size) {
        if (!fill(kPatienceMs)) return answer;
      }
      answer.body += input_.substr(line + 2, size);
      input_.erase(0, line + 4 + size);
      if (size == 0) break;
    }
    answer.complete = true;
  } else {
    answer.body = read_to_end();
    answer.complete = !reset_;
  }
  return answer;
}

}  // namespace rowhouse::test
