#include "core/io/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "core/io/files.h"

namespace svdlab {
namespace {

// Far above any configuration, far below what aliases of aliases can be made to expand to.
constexpr size_t kMaxValues = 1000000;

// A comment laid after the text: yaml-cpp closes an open quote at the end of the file by itself, so a cut-off
// file would pass. A scalar that has swallowed this line is one that was never closed.
constexpr const char* kEndOfText = "# end of svdlab text";

size_t count_values(const Value& v) {
  size_t n = 1;
  for (const Value& item : v.items) n += count_values(item);
  for (const Value::Member& m : v.members) n += count_values(m.second);
  return n;
}

// Builds the tree from parser events: unlike YAML::Load this sees duplicate keys, tags and quoting as
// written.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& name) : name_(name) {}

  Value take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Value v;
    v.where = place(mark);
    SVDLAB_REQUIRE(!expects_key(), Errc::kConfig, v.where, ": a key must be text, not null");
    emit(std::move(v), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    SVDLAB_REQUIRE(found != anchors_.end(), Errc::kConfig, place(mark), ": an alias inside its own anchor");
    SVDLAB_REQUIRE(!expects_key(), Errc::kConfig, place(mark), ": a key must be text, not an alias");
    values_ += count_values(found->second);
    emit(found->second, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const bool quoted = tag == "!";
    SVDLAB_REQUIRE(text.find(kEndOfText) == std::string::npos, Errc::kConfig, place(mark),
                   ": the quote is never closed");
    if (!quoted) require_no_tag(mark, tag);
    if (expects_key()) {
      set_key(mark, text);
      return;
    }
    Value v = Value::text(text);
    v.quoted = quoted;
    v.where = place(mark);
    emit(std::move(v), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Value::list());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Value::map());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Value value;
    YAML::anchor_t anchor = 0;
    std::string key, key_place;
    bool has_key = false;
  };

  std::string place(const YAML::Mark& mark) const {
    return concat(name_, ":", mark.line + 1, ":", mark.column + 1);
  }

  bool expects_key() const {
    return !stack_.empty() && stack_.back().value.kind == Value::Kind::kMap && !stack_.back().has_key;
  }

  void require_no_tag(const YAML::Mark& mark, const std::string& tag) const {
    SVDLAB_REQUIRE(tag.empty() || tag == "?", Errc::kConfig, place(mark), ": the tag ", tag,
                   " is not supported; remove it");
  }

  void set_key(const YAML::Mark& mark, const std::string& text) {
    Frame& map = stack_.back();
    const Value* first = map.value.find(text);
    SVDLAB_REQUIRE(!first, Errc::kConfig, place(mark), ": duplicate key \"", text, "\", first at ",
                   first->where);
    map.key = text;
    map.key_place = place(mark);
    map.has_key = true;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Value empty) {
    require_no_tag(mark, tag);
    SVDLAB_REQUIRE(!expects_key(), Errc::kConfig, place(mark), ": a key must be text, not a list or a map");
    // The line of the key is the one to look at when a whole map or list is wrong.
    const bool keyed = !stack_.empty() && stack_.back().has_key;
    empty.where = keyed ? stack_.back().key_place : place(mark);
    stack_.push_back({std::move(empty), anchor, "", "", false});
  }

  void close() {
    Frame done = std::move(stack_.back());
    stack_.pop_back();
    emit(std::move(done.value), done.anchor);
  }

  void emit(Value v, YAML::anchor_t anchor) {
    SVDLAB_REQUIRE(++values_ <= kMaxValues, Errc::kConfig, v.where, ": more than ", kMaxValues, " values");
    if (anchor != 0) anchors_[anchor] = v;
    if (stack_.empty()) {
      root_ = std::move(v);
    } else if (Frame& top = stack_.back(); top.value.kind == Value::Kind::kList) {
      top.value.items.push_back(std::move(v));
    } else {
      top.value.members.emplace_back(std::move(top.key), std::move(v));
      top.has_key = false;
    }
  }

  std::string name_;
  Value root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Value> anchors_;
  size_t values_ = 0;
};

// Tabs look like indentation and are none; other control characters mean that this is no text file.
void require_plain_text(const std::string& text, const std::string& name) {
  size_t line = 1, start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    SVDLAB_REQUIRE(c != '\t', Errc::kConfig, name, ":", line, ":", i - start + 1, ": a tab; use spaces");
    SVDLAB_REQUIRE(c >= 0x20 || c == '\n' || c == '\r', Errc::kConfig, name, ":", line, ":", i - start + 1,
                   ": control character ", int{c}, "; is this a text file?");
    if (c == '\n') ++line, start = i + 1;
  }
}

// Text that YAML readers of any version take for text without quotes.
bool plain_is_safe(const std::string& s) {
  static const std::vector<std::string> reserved = {"null", "true", "false", "yes", "no",
                                                    "on",   "off",  "y",     "n"};
  const auto starts = [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '/';
  };
  const auto continues = [&](char c) {
    return starts(c) || (c >= '0' && c <= '9') || std::string_view(".-+*$").find(c) != std::string_view::npos;
  };
  std::string lower = s;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return !s.empty() && starts(s[0]) && std::all_of(s.begin(), s.end(), continues) &&
         std::find(reserved.begin(), reserved.end(), lower) == reserved.end();
}

// JSON's quoted form, which YAML reads the same way.
std::string quoted_if_needed(const std::string& s) {
  return plain_is_safe(s) ? s : Value::text(s).canonical_json();
}

std::string inline_yaml(const Value& v) {
  if (v.kind == Value::Kind::kNull) return "null";
  if (v.kind == Value::Kind::kList) return "[]";
  if (v.kind == Value::Kind::kMap) return "{}";
  const bool is_text = v.canonical_json().front() == '"';
  return is_text ? quoted_if_needed(v.scalar) : v.scalar;
}

bool is_block(const Value& v) { return !v.items.empty() || !v.members.empty(); }

// Writes a non-empty list or map with every line indented by `indent`, the first line by what is already
// there.
void write_block(const Value& v, size_t indent, std::string& out) {
  bool first = true;
  const auto start_line = [&] {
    if (!first) out.append(indent, ' ');
    first = false;
  };
  for (const Value& item : v.items) {
    start_line();
    out += "- ";
    if (is_block(item))
      write_block(item, indent + 2, out);
    else
      out += inline_yaml(item) + "\n";
  }
  for (const Value::Member& m : v.members) {
    start_line();
    out += quoted_if_needed(m.first) + ":";
    if (is_block(m.second)) {
      out += "\n" + std::string(indent + 2, ' ');
      write_block(m.second, indent + 2, out);
    } else {
      out += " " + inline_yaml(m.second) + "\n";
    }
  }
}

}  // namespace

Value parse_yaml(const std::string& text, const std::string& name) {
  require_plain_text(text, name);
  try {
    const bool whole_line = !text.empty() && text.back() == '\n';
    std::istringstream stream(concat(text, whole_line ? "" : "\n", kEndOfText, "\n"));
    YAML::Parser parser(stream);
    TreeBuilder tree(name), second(name);
    parser.HandleNextDocument(tree);
    SVDLAB_REQUIRE(!parser.HandleNextDocument(second), Errc::kConfig, name,
                   ": more than one document; keep one per file (remove the lines ---)");
    return tree.take();
  } catch (const YAML::Exception& e) {
    throw Error(Errc::kConfig, concat(name, ":", e.mark.line + 1, ":", e.mark.column + 1, ": ", e.msg));
  }
}

Value load_yaml(const std::string& path) { return parse_yaml(read_file(path), path); }

std::string to_yaml(const Value& value) {
  if (!is_block(value)) return inline_yaml(value) + "\n";
  std::string out;
  write_block(value, 0, out);
  return out;
}

Value merge(const Value& base, const Value& top) {
  if (base.kind != Value::Kind::kMap || top.kind != Value::Kind::kMap) return top;
  Value out = base;
  if (!top.where.empty()) out.where = top.where;
  for (const Value::Member& m : top.members) {
    Value& slot = out.at_or_add(m.first);
    slot = base.find(m.first) ? merge(slot, m.second) : m.second;
  }
  return out;
}

}  // namespace svdlab
