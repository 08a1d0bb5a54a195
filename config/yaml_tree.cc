#include "config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "config/text_encoding.h"

namespace rowhouse::config {
namespace {

constexpr const char* kNoAliases =
    "anchors (\"&name\") and aliases (\"*name\") are not used here; put a text that begins with \"*\" or "
    "\"&\" "
    "in quotes";

// Follows every text: yaml-cpp takes a quoted text that the end of the file cuts off for a whole one, but not
// one that runs into this marker.
constexpr const char* kDocumentEnd = "\n...\n";

// Ends the parse; thrown through yaml-cpp and caught in parse_yaml.
struct Refusal {
  Position position;
  std::string sentence;
};

Position position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}
  [[nodiscard]] Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      throw Refusal{position_of(mark), "a configuration file is one YAML document, not several"};
  }
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal{position_of(mark), kNoAliases};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(mark, anchor, "?", NodeKind::kNull));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(mark, anchor, tag, NodeKind::kScalar);
    if (value.find('\0') != std::string::npos)
      throw Refusal{node.position, "a text must not contain a NUL byte"};
    node.text = value;
    node.style = tag == "!" ? ScalarStyle::kQuoted : ScalarStyle::kPlain;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(mark, anchor, tag, NodeKind::kSequence));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(mark, anchor, tag, NodeKind::kMap));
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Node node;
    std::set<std::string> seen;  // keys of a map
  };

  Node make(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag, NodeKind kind) {
    const Position position = position_of(mark);
    if (anchor != 0) throw Refusal{position, kNoAliases};
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refusal{position, "tags (\"!name\") are not used here"};
    if (++nodes_ > kMaxYamlNodes) {
      throw Refusal{position, "the file has more than " + std::to_string(kMaxYamlNodes) + " values"};
    }
    Node node;
    node.kind = kind;
    node.position = position;
    return node;
  }

  void open(Node node) {
    require_key_is_text(node);
    if (levels_.size() == kMaxYamlDepth) {
      throw Refusal{node.position, "values are nested more than " + std::to_string(kMaxYamlDepth) + " deep"};
    }
    levels_.push_back({std::move(node), {}});
  }

  void close() {
    Node node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }

  void add(Node node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    require_key_is_text(node);
    if (!expects_key()) {
      // yaml-cpp sees that a value is missing only at the next one: the key is where the author must look.
      const Node& parent = levels_.back().node;
      if (node.kind == NodeKind::kNull && parent.kind == NodeKind::kMap)
        node.position = parent.keys.back().position;
      levels_.back().node.children.push_back(std::move(node));
      return;
    }
    Level& level = levels_.back();
    if (!level.seen.insert(node.text).second) {
      diagnostics_.add(node.position, "duplicate key " + quote(node.text));
    }
    level.node.keys.push_back({std::move(node.text), node.position});
  }

  [[nodiscard]] bool expects_key() const {
    if (levels_.empty()) return false;
    const Node& parent = levels_.back().node;
    return parent.kind == NodeKind::kMap && parent.keys.size() == parent.children.size();
  }
  void require_key_is_text(const Node& node) const {
    if (expects_key() && node.kind != NodeKind::kScalar) throw Refusal{node.position, "a key must be a text"};
  }

  Diagnostics& diagnostics_;
  std::vector<Level> levels_;
  Node root_;
  std::size_t nodes_ = 0;
  std::size_t documents_ = 0;
};

// Line `line` of the text, without its end; empty beyond the text.
std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (std::uint32_t each = 1; each < line; ++each) {
    const std::size_t end = text.find('\n');
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

bool is_indented_by_tab(std::string_view line) {
  return line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

// The place of an error, inside the text also when it was found at the marker behind it.
Position place_in(std::string_view text, Position position) {
  const auto last = static_cast<std::uint32_t>(1 + std::count(text.begin(), text.end(), '\n'));
  if (position.line <= last) return position;
  return {last, static_cast<std::uint32_t>(line_of(text, last).size() + 1)};
}

std::string syntax_sentence(const std::string& message, std::string_view text, Position position) {
  using namespace YAML::ErrorMsg;
  for (const char* alias :
       {ALIAS_NOT_FOUND, ANCHOR_NOT_FOUND, CHAR_IN_ALIAS, CHAR_IN_ANCHOR, UNKNOWN_ANCHOR}) {
    if (message == alias) return kNoAliases;
  }
  if (message == DOC_IN_SCALAR || message == EOF_IN_SCALAR)
    return "a quoted text before this place is not closed";
  if (is_indented_by_tab(line_of(text, position.line)))
    return "YAML is indented with spaces; this line begins with a tab";
  // SECURITY: the library's message can end with a byte of the file, so it is quoted like one.
  return "this is not YAML: " + quote(message);
}

}  // namespace

std::optional<Node> parse_yaml(std::string_view text, Diagnostics& diagnostics) {
  if (const auto problem = find_encoding_problem(text)) {
    diagnostics.add(problem->position, problem->sentence);
    return std::nullopt;
  }
  TreeBuilder builder(diagnostics);
  try {
    std::istringstream stream{std::string(text) + kDocumentEnd};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    diagnostics.add(refusal.position, refusal.sentence);
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    const Position position = place_in(text, position_of(error.mark));
    diagnostics.add(position, syntax_sentence(error.msg, text, position));
    return std::nullopt;
  }
  Node root = builder.take_root();
  if (root.kind != NodeKind::kNull) return root;
  diagnostics.add({}, "the file is empty");
  return std::nullopt;
}

}  // namespace rowhouse::config
