#include "worker/poller.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "worker/channel.h"

namespace rowhouse::worker {
namespace {

// Tags of epoll data; everything else is the address of a Channel.
constexpr std::uint64_t kLifelineTag = 1;
constexpr std::uint64_t kWakeTag = 2;

std::uint64_t tag_of(Channel& channel) {
  return reinterpret_cast<std::uintptr_t>(&channel);
}

Poller::Ready decode(const epoll_event& event) {
  Poller::Ready ready;
  ready.readable = (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
  ready.writable = (event.events & EPOLLOUT) != 0;
  if (event.data.u64 == kLifelineTag) {
    ready.source = Poller::Source::kLifeline;
  } else if (event.data.u64 == kWakeTag) {
    ready.source = Poller::Source::kWake;
  } else {
    ready.source = Poller::Source::kChannel;
    ready.channel = reinterpret_cast<Channel*>(static_cast<std::uintptr_t>(event.data.u64));
  }
  return ready;
}

}  // namespace

Status Poller::open() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return system_error("epoll_create1");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return system_error("pipe2");
  woken_.reset(ends[0]);
  wake_.reset(ends[1]);
  return add(woken_.get(), kWakeTag);
}

Status Poller::add(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
  return {};
}

Status Poller::watch_lifeline(int fd) {
  return add(fd, kLifelineTag);
}
Status Poller::watch_channel(Channel& channel) {
  return add(channel.descriptor(), tag_of(channel));
}

void Poller::forget(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Poller::change_interest(Channel& channel, Interest interest) {
  epoll_event event{};
  event.events = interest == Interest::kRead ? EPOLLIN : EPOLLIN | EPOLLOUT;
  event.data.u64 = tag_of(channel);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, channel.descriptor(), &event);
}

std::span<const Poller::Ready> Poller::wait(ReadyRoom& room, int timeout_ms) const {
  std::array<epoll_event, kMaxReady> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < count; ++i)
    room[static_cast<std::size_t>(i)] = decode(events[static_cast<std::size_t>(i)]);
  return std::span<const Ready>(room).first(count < 0 ? 0 : static_cast<std::size_t>(count));
}

void Poller::wake() const {
  static_cast<void>(!::write(wake_.get(), "", 1));  // a full pipe wakes as well
}

void Poller::clear_wake() const {
  char bytes[256];
  static_cast<void>(!::read(woken_.get(), bytes, sizeof bytes));
}

}  // namespace rowhouse::worker
