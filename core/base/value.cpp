#include "core/base/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "core/base/names.h"

namespace svdlab {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The number of leading digits of `s`, from `at` on.
size_t digits(std::string_view s, size_t at) {
  size_t n = 0;
  while (at + n < s.size() && is_digit(s[at + n])) ++n;
  return n;
}

// Length of -?(0|[1-9][0-9]*) at the front of `s`, or 0. A second digit after a leading zero ends the match,
// so 032 is no integer: YAML 1.1 readers would take it for octal 26.
size_t integer_prefix(std::string_view s) {
  const size_t sign = !s.empty() && s[0] == '-' ? 1 : 0;
  const size_t n = digits(s, sign);
  if (n == 0) return 0;
  return sign + (s[sign] == '0' ? 1 : n);
}

bool is_integer(std::string_view s) { return !s.empty() && integer_prefix(s) == s.size(); }

// The number grammar of JSON.
bool is_number(std::string_view s) {
  size_t at = integer_prefix(s);
  if (at == 0) return false;
  if (at < s.size() && s[at] == '.') {
    const size_t n = digits(s, at + 1);
    if (n == 0) return false;
    at += 1 + n;
  }
  if (at < s.size() && (s[at] == 'e' || s[at] == 'E')) {
    ++at;
    if (at < s.size() && (s[at] == '+' || s[at] == '-')) ++at;
    const size_t n = digits(s, at);
    if (n == 0) return false;
    at += n;
  }
  return at == s.size();
}

std::string shortest(double v) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v == 0 ? 0.0 : v).ptr;
  return {buffer, end};
}

// False when the text is outside the range of double.
bool parse_number(const std::string& s, double& out) {
  return std::from_chars(s.data(), s.data() + s.size(), out).ec == std::errc();
}

std::string json_string(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string scalar_json(const Value& v) {
  const std::string& s = v.scalar;
  if (v.quoted) return json_string(s);
  if (s == "true" || s == "false") return s;
  if (is_integer(s)) return s == "-0" ? "0" : s;
  double number = 0;
  if (is_number(s) && parse_number(s, number)) return shortest(number);
  return json_string(s);
}

template <class Range, class Write>
std::string joined(char open, const Range& range, char close, const Write& write) {
  std::string out(1, open);
  for (const auto& element : range) {
    if (out.size() > 1) out += ',';
    out += write(element);
  }
  return out + close;
}

std::string map_json(const Value& v) {
  std::vector<const Value::Member*> sorted;
  for (const Value::Member& m : v.members) sorted.push_back(&m);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->first < b->first; });
  return joined('{', sorted, '}', [](const Value::Member* m) {
    return json_string(m->first) + ":" + m->second.canonical_json();
  });
}

// What an error message calls a value.
std::string described(const Value& v) {
  switch (v.kind) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kList:
      return concat("a list of ", v.items.size());
    case Value::Kind::kMap:
      return "a map";
    case Value::Kind::kScalar:
      break;
  }
  return v.quoted ? "the text " + json_string(v.scalar) : json_string(v.scalar);
}

std::string at_place(const Value& v) { return v.where.empty() ? "" : v.where + ": "; }

[[noreturn]] void refuse(const Value& v, const std::string& path, const char* wanted, const char* hint = "") {
  throw Error(Errc::kConfig,
              concat(at_place(v), "`", path, "` must be ", wanted, ", not ", described(v), hint));
}

bool is_plain(const Value& v) { return v.kind == Value::Kind::kScalar && !v.quoted; }

Value scalar_of(std::string s, bool quoted) {
  Value v;
  v.kind = Value::Kind::kScalar;
  v.scalar = std::move(s);
  v.quoted = quoted;
  return v;
}

}  // namespace

Value Value::text(std::string s) { return scalar_of(std::move(s), true); }
Value Value::integer(int64_t v) { return scalar_of(std::to_string(v), false); }
Value Value::boolean(bool v) { return scalar_of(v ? "true" : "false", false); }
Value Value::number(double v) {
  SVDLAB_REQUIRE(std::isfinite(v), Errc::kConfig, "a configuration number must be finite, not ", v);
  return scalar_of(shortest(v), false);
}

const Value* Value::find(const std::string& key) const {
  for (const Member& m : members)
    if (m.first == key) return &m.second;
  return nullptr;
}

Value& Value::at_or_add(const std::string& key) {
  if (kind == Kind::kNull) kind = Kind::kMap;
  SVDLAB_REQUIRE(kind == Kind::kMap, Errc::kConfig, at_place(*this), "cannot set \"", key, "\" in ",
                 described(*this), "; it takes a map");
  for (Member& m : members)
    if (m.first == key) return m.second;
  return members.emplace_back(key, Value()).second;
}

int64_t Value::as_integer(const std::string& path) const {
  if (!is_plain(*this)) refuse(*this, path, "an integer", quoted ? "; remove the quotes" : "");
  if (!is_integer(scalar)) {
    const bool zero =
        scalar.size() > 1 && digits(scalar, scalar[0] == '-') + (scalar[0] == '-') == scalar.size();
    refuse(*this, path, "an integer", zero ? "; write it without leading zeros" : "");
  }
  int64_t out = 0;
  if (std::from_chars(scalar.data(), scalar.data() + scalar.size(), out).ec != std::errc())
    refuse(*this, path, "an integer of 64 bits");
  return out;
}

double Value::as_number(const std::string& path) const {
  if (!is_plain(*this)) refuse(*this, path, "a number", quoted ? "; remove the quotes" : "");
  double out = 0;
  if (!is_number(scalar)) refuse(*this, path, "a finite number such as 0.5, 1 or 1e-3");
  if (!parse_number(scalar, out)) refuse(*this, path, "a number within the range of double");
  return out;
}

bool Value::as_boolean(const std::string& path) const {
  if (!is_plain(*this) || (scalar != "true" && scalar != "false")) refuse(*this, path, "true or false");
  return scalar == "true";
}

std::string Value::as_text(const std::string& path) const {
  if (kind != Kind::kScalar) refuse(*this, path, "text");
  return scalar;
}

std::string Value::canonical_json() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kScalar:
      return scalar_json(*this);
    case Kind::kList:
      return joined('[', items, ']', [](const Value& v) { return v.canonical_json(); });
    case Kind::kMap:
      return map_json(*this);
  }
  return "null";
}

Fields::Fields(const Value& map, std::string path) : map_(&map), path_(std::move(path)) {
  if (map.kind != Value::Kind::kMap && map.kind != Value::Kind::kNull)
    refuse(map, path_.empty() ? "top level" : path_, "a map");
}

bool Fields::has(const std::string& key) { return child(key) != nullptr; }

const Value* Fields::child(const std::string& key) {
  asked_.insert(key);
  return map_->find(key);
}

int64_t Fields::integer(const std::string& key, int64_t fallback) {
  const Value* v = child(key);
  return v ? v->as_integer(path_of(key)) : fallback;
}

double Fields::number(const std::string& key, double fallback) {
  const Value* v = child(key);
  return v ? v->as_number(path_of(key)) : fallback;
}

bool Fields::boolean(const std::string& key, bool fallback) {
  const Value* v = child(key);
  return v ? v->as_boolean(path_of(key)) : fallback;
}

std::string Fields::text(const std::string& key, const std::string& fallback) {
  const Value* v = child(key);
  return v ? v->as_text(path_of(key)) : fallback;
}

std::string Fields::required_text(const std::string& key) {
  const Value* v = child(key);
  SVDLAB_REQUIRE(v, Errc::kConfig, at_place(*map_), "`", path_of(key), "` is missing; it must be text");
  return v->as_text(path_of(key));
}

void Fields::finish() const {
  for (const Value::Member& m : map_->members) {
    if (asked_.count(m.first)) continue;
    const std::string near = nearest(m.first, {asked_.begin(), asked_.end()});
    throw Error(Errc::kConfig,
                concat(at_place(m.second), "unknown key `", path_of(m.first), "`; ",
                       near.empty() ? "no key is known here" : concat("nearest: `", path_of(near), "`")));
  }
}

}  // namespace svdlab
