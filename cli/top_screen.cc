#include "cli/top_screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>

namespace rowhouse::cli {
namespace {

constexpr std::size_t kUsualRows = 24;

volatile std::sig_atomic_t ended = 0;
volatile std::sig_atomic_t resized = 0;

void on_end(int) {
  ended = 1;
}
void on_resize(int) {
  resized = 1;
}

// Without SA_RESTART: a poll that waits ends.
void catch_signal(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(number, &action, nullptr);
}

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// A key, of which the arrows are three bytes.
char key_of(std::string_view bytes) {
  if (bytes == "\x1b[A" || bytes == "\x1bOA") return 'k';
  if (bytes == "\x1b[B" || bytes == "\x1bOB") return 'j';
  return bytes.size() == 1 ? bytes[0] : '\0';
}

}  // namespace

TopScreen::TopScreen() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) catch_signal(number, on_end);
  catch_signal(SIGWINCH, on_resize);
  if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
  }
  write_out("\x1b[?1049h\x1b[?25l");  // the other screen, no cursor
}

TopScreen::~TopScreen() {
  write_out("\x1b[?25h\x1b[?1049l");
  if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

std::size_t TopScreen::rows() const {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsualRows;
}

void TopScreen::show(const std::vector<std::string>& lines) const {
  std::string text = "\x1b[H";
  const std::size_t shown = std::min(lines.size(), rows());
  for (std::size_t i = 0; i < shown; ++i) text += lines[i] + "\x1b[K" + (i + 1 < shown ? "\r\n" : "");
  write_out(text + "\x1b[J");
}

TopScreen::Event TopScreen::wait(std::chrono::milliseconds time) const {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ended != 0 ? 0 : ::poll(&input, 1, static_cast<int>(time.count()));
  if (ended != 0) return {Event::Kind::kEnd, 0};
  if (resized != 0) {
    resized = 0;
    return {Event::Kind::kResized, 0};
  }
  if (ready < 0) return {errno == EINTR ? Event::Kind::kResized : Event::Kind::kEnd, 0};
  if (ready == 0) return {};
  char bytes[16];
  const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (got <= 0) return {Event::Kind::kEnd, 0};
  return {Event::Kind::kKey, key_of({bytes, static_cast<std::size_t>(got)})};
}

}  // namespace rowhouse::cli
