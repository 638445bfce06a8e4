#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "core/base/names.h"
#include "core/io/yaml.h"

namespace svdlab {
namespace {

struct Override {
  char mode = '=';  // '=' set what exists, '+' add what is new, '~' remove
  std::string text;
  std::vector<std::string> path;
  Value value;
};

void set_place(Value& v, const std::string& where) {
  v.where = where;
  for (Value& item : v.items) set_place(item, where);
  for (Value::Member& m : v.members) set_place(m.second, where);
}

std::vector<std::string> split_path(const std::string& path, const std::string& text) {
  std::vector<std::string> out;
  size_t start = 0;
  for (size_t dot = 0; dot != std::string::npos; start = dot + 1) {
    dot = path.find('.', start);
    out.push_back(path.substr(start, dot == std::string::npos ? dot : dot - start));
    SVDLAB_REQUIRE(!out.back().empty(), Errc::kConfig, "override ", text,
                   ": empty name in the path; write a.b=value, +a.b=value or ~a.b");
  }
  return out;
}

Override parse_override(const std::string& text) {
  Override o;
  o.text = text;
  const size_t start = !text.empty() && (text[0] == '+' || text[0] == '~') ? 1 : 0;
  if (start) o.mode = text[0];
  const size_t equals = text.find('=');
  o.path = split_path(text.substr(start, equals == std::string::npos ? equals : equals - start), text);
  if (o.mode == '~') {
    SVDLAB_REQUIRE(equals == std::string::npos, Errc::kConfig, "override ", text,
                   ": ~ removes and takes no value");
    return o;
  }
  SVDLAB_REQUIRE(equals != std::string::npos && equals + 1 < text.size(), Errc::kConfig, "override ", text,
                 ": no value; write ", text.substr(0, equals),
                 "=value (null for none, '\"\"' for empty text)");
  o.value = parse_yaml(text.substr(equals + 1), "override " + text);
  set_place(o.value, "override " + text);
  return o;
}

std::string path_until(const Override& o, size_t depth) {
  std::string out;
  for (size_t i = 0; i < depth; ++i) out += (i ? "." : "") + o.path[i];
  return out.empty() ? "the top level" : "`" + out + "`";
}

// The place of element `name` in `parent`: its index, or the number of elements when it is not there.
size_t index_of(const Value& parent, const Override& o, size_t depth) {
  const std::string& name = o.path[depth];
  if (parent.kind == Value::Kind::kMap || parent.kind == Value::Kind::kNull) {
    const auto found = std::find_if(parent.members.begin(), parent.members.end(),
                                    [&](const Value::Member& m) { return m.first == name; });
    return static_cast<size_t>(found - parent.members.begin());
  }
  SVDLAB_REQUIRE(parent.kind == Value::Kind::kList, Errc::kConfig, "override ", o.text, ": ",
                 path_until(o, depth), " is the single value \"", parent.scalar, "\" and has no `", name,
                 "`");
  size_t index = 0;
  const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool ok = ec == std::errc() && end == name.data() + name.size() && index <= parent.items.size();
  SVDLAB_REQUIRE(ok, Errc::kConfig, "override ", o.text, ": ", path_until(o, depth), " is a list of ",
                 parent.items.size(), "; `", name, "` is not an index into it");
  return index;
}

bool is_list(const Value& v) { return v.kind == Value::Kind::kList; }
size_t size_of(const Value& v) { return is_list(v) ? v.items.size() : v.members.size(); }

[[noreturn]] void refuse_missing(const Value& parent, const Override& o, size_t depth) {
  std::vector<std::string> keys;
  for (const Value::Member& m : parent.members) keys.push_back(m.first);
  const std::string near = nearest(o.path[depth], keys);
  throw Error(Errc::kConfig, concat("override ", o.text, ": ", path_until(o, depth), " has no `",
                                    o.path[depth], "`", near.empty() ? "" : "; nearest: `" + near + "`",
                                    o.mode == '=' ? "; a new key needs a leading +" : ""));
}

Value& child_at(Value& parent, size_t index) {
  return is_list(parent) ? parent.items[index] : parent.members[index].second;
}

Value& append_child(Value& parent, const std::string& name) {
  return is_list(parent) ? parent.items.emplace_back() : parent.at_or_add(name);
}

void erase_child(Value& parent, size_t index) {
  const auto offset = static_cast<std::ptrdiff_t>(index);
  if (is_list(parent))
    parent.items.erase(parent.items.begin() + offset);
  else
    parent.members.erase(parent.members.begin() + offset);
}

void apply(Value& parent, const Override& o, size_t depth) {
  const size_t index = index_of(parent, o, depth);
  const bool exists = index < size_of(parent), last = depth + 1 == o.path.size();
  if (!exists && o.mode != '+') refuse_missing(parent, o, depth);
  if (!last)
    return apply(exists ? child_at(parent, index) : append_child(parent, o.path[depth]), o, depth + 1);
  SVDLAB_REQUIRE(o.mode != '+' || !exists, Errc::kConfig, "override ", o.text, ": ", path_until(o, depth + 1),
                 " exists already; drop the + to change it");
  if (o.mode == '~')
    erase_child(parent, index);
  else
    (exists ? child_at(parent, index) : append_child(parent, o.path[depth])) = o.value;
}

}  // namespace

void apply_override(Value& base, const std::string& override_text) {
  // Worked on a copy: a refused override leaves the configuration as it was.
  Value changed = base;
  apply(changed, parse_override(override_text), 0);
  base = std::move(changed);
}

}  // namespace svdlab
