#include "config/diagnostics.h"

#include <algorithm>

#include "base/printable.h"

namespace rowhouse::config {
namespace {

constexpr std::size_t kMaxQuotedBytes = 80;

}  // namespace

void Diagnostics::add(Position position, std::string sentence) {
  if (found_.size() == kMaxSentences) {
    ++left_out_;
    return;
  }
  found_.push_back({position, std::move(sentence)});
}

std::vector<std::string> Diagnostics::lines(std::string_view file) const {
  std::vector<Found> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Found& a, const Found& b) { return a.position < b.position; });
  if (left_out_ > 0) {
    sorted.push_back({sorted.back().position, std::to_string(left_out_) + " more errors are left out"});
  }
  std::vector<std::string> lines;
  for (const Found& found : sorted) {
    lines.push_back(terminal_safe(file) + ":" + std::to_string(found.position.line) + ":" +
                    std::to_string(found.position.column) + ": " + found.sentence);
  }
  return lines;
}

std::string join_lines(const std::vector<std::string>& lines, std::size_t cap_bytes) {
  std::string text;
  for (const std::string& line : lines) {
    if (text.size() + line.size() + 1 > cap_bytes) break;
    text += line;
    text += '\n';
  }
  return text;
}

std::string quote(std::string_view text) {
  std::string out = "\"" + terminal_safe(text.substr(0, kMaxQuotedBytes));
  if (text.size() > kMaxQuotedBytes) out += "...";
  return out + "\"";
}

}  // namespace rowhouse::config
