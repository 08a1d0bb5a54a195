// A protocol page as data: its golden bytes, its message tables and the caps that it names, so that page and
// codec cannot drift apart.  For the unit tests of proto/ only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rowhouse::proto::test {

// A file of the source tree, by its path below the top; an empty one fails the test that asks.
[[nodiscard]] std::string read_source(const std::string& path);

// The bytes of the block "```hex LABEL" of a page; `00*59` stands for 59 bytes.  Throws when there is none.
[[nodiscard]] std::string golden(const std::string& page, const std::string& label);
[[nodiscard]] std::set<std::string> golden_labels(const std::string& page);

// A "### NUMBER Name" section of the control page.
struct PageMessage {
  unsigned number = 0;
  std::string name;
  std::size_t descriptors = 0;
  std::vector<std::string> types;  // first column of the table: "u32", "text63"
};
[[nodiscard]] std::vector<PageMessage> page_messages(const std::string& page);

// Every "`kName` (1,234)", "`kName`, 1,234" of a page.
[[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> page_caps(const std::string& page);

// Every `kMax...` word in backticks.
[[nodiscard]] std::set<std::string> page_cap_names(const std::string& page);

// The rows of the permit table: (sender, phase) -> names.
[[nodiscard]] std::map<std::pair<std::string, std::string>, std::set<std::string>> page_permits(
    const std::string& page);

}  // namespace rowhouse::proto::test
