#include "page.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace rowhouse::proto::test {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The cells of "| a | b | c |", trimmed.
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::istringstream stream(row.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    const auto begin = cell.find_first_not_of(' ');
    const auto end = cell.find_last_not_of(' ');
    cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
  }
  return cells;
}

bool is_row(const std::string& line) {
  return line.starts_with("| ") && !line.starts_with("| type |") && !line.starts_with("| sender |");
}

std::uint64_t number_of(std::string digits) {
  std::erase(digits, ',');
  return std::stoull(digits);
}

void append_token(std::string& bytes, const std::string& token) {
  const auto star = token.find('*');
  const std::size_t times = star == std::string::npos ? 1 : std::stoul(token.substr(star + 1));
  const auto value = static_cast<char>(std::stoul(token.substr(0, star), nullptr, 16));
  bytes.append(times, value);
}

}  // namespace

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(ROWHOUSE_SOURCE_ROOT "/") + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string golden(const std::string& page, const std::string& label) {
  const std::string opening = "```hex " + label + "\n";
  const auto begin = page.find(opening);
  if (begin == std::string::npos) throw std::runtime_error("no golden bytes named " + label);
  const auto end = page.find("```", begin + opening.size());
  std::istringstream tokens(page.substr(begin + opening.size(), end - begin - opening.size()));
  std::string bytes;
  for (std::string token; tokens >> token;) append_token(bytes, token);
  return bytes;
}

std::set<std::string> golden_labels(const std::string& page) {
  std::set<std::string> labels;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```hex ")) labels.insert(line.substr(7));
  }
  return labels;
}

std::vector<PageMessage> page_messages(const std::string& page) {
  static const std::regex kHeading(R"(### (\d+) (\w+))");
  static const std::regex kDescriptors(R"(Descriptors: (\d+))");
  std::vector<PageMessage> messages;
  bool inside = false;
  for (const std::string& line : lines_of(page)) {
    std::smatch match;
    if (std::regex_match(line, match, kHeading)) {
      messages.push_back({static_cast<unsigned>(std::stoul(match[1])), match[2], 99, {}});
      inside = true;
    } else if (line.starts_with("## ")) {
      inside = false;
    } else if (inside && std::regex_search(line, match, kDescriptors)) {
      messages.back().descriptors = std::stoul(match[1]);
    } else if (inside && is_row(line)) {
      messages.back().types.push_back(cells_of(line).front());
    }
  }
  return messages;
}

std::vector<std::pair<std::string, std::uint64_t>> page_caps(const std::string& page) {
  static const std::regex kCap(R"(`(k[A-Z]\w+)`(?: \(|, )(\d[\d,]*\d|\d))");
  std::vector<std::pair<std::string, std::uint64_t>> caps;
  for (std::sregex_iterator it(page.begin(), page.end(), kCap), end; it != end; ++it) {
    caps.emplace_back((*it)[1], number_of((*it)[2]));
  }
  return caps;
}

std::set<std::string> page_cap_names(const std::string& page) {
  static const std::regex kName(R"(`(k[A-Z]\w+)`)");
  std::set<std::string> names;
  for (std::sregex_iterator it(page.begin(), page.end(), kName), end; it != end; ++it) names.insert((*it)[1]);
  return names;
}

std::map<std::pair<std::string, std::string>, std::set<std::string>> page_permits(const std::string& page) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> permits;
  const auto begin = page.find("| sender | phase | messages |");
  if (begin == std::string::npos) throw std::runtime_error("the page has no permit table");
  for (const std::string& line : lines_of(page.substr(begin, page.find("\n\n", begin) - begin))) {
    if (!is_row(line)) continue;
    const std::vector<std::string> cells = cells_of(line);
    std::istringstream names(cells.at(2));
    std::set<std::string>& permitted = permits[{cells.at(0), cells.at(1)}];
    for (std::string name; names >> name;) permitted.insert(name);
  }
  return permits;
}

}  // namespace rowhouse::proto::test
