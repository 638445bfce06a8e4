#include "core/io/yaml.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

Value read(const std::string& text) { return parse_yaml(text, "f.yaml"); }
std::string json(const std::string& text) { return read(text).canonical_json(); }

::testing::AssertionResult refused(const std::string& text, const std::vector<std::string>& parts) {
  return throws_error([&] { read(text); }, Errc::kConfig, parts);
}

TEST(Yaml, ReadsBlockFlowAndJson) {
  const char* expected = R"({"a":{"b":[1,2.5,true,null,"x y"]},"c":"5"})";
  EXPECT_EQ(json("a:\n  b:\n    - 1\n    - 2.5\n    - true\n    - null\n    - x y\nc: \"5\"\n"), expected);
  EXPECT_EQ(json("{a: {b: [1, 2.5, true, ~, 'x y']}, c: '5'}"), expected);
  EXPECT_EQ(json(R"({"a": {"b": [1, 2.5, true, null, "x y"]}, "c": "5"})"), expected);
  EXPECT_EQ(json("a: |\n  two\n  lines\n"), R"({"a":"two\nlines\n"})");
  EXPECT_EQ(json(""), "null");
  EXPECT_EQ(json("# only a comment\n"), "null");
  EXPECT_EQ(json("a:\r\n  b: 1\r\n"), R"({"a":{"b":1}})");
}

TEST(Yaml, ScalarsStayAsWritten) {
  const Value v = read("{a: 032, b: no, c: 0x1F, d: 'no', e: 1_000}");
  EXPECT_EQ(v.find("a")->as_text("a"), "032");
  EXPECT_TRUE(
      throws_error([&] { v.find("a")->as_integer("a"); }, Errc::kConfig, {"f.yaml:1:5", "leading zero"}));
  EXPECT_TRUE(throws_error([&] { v.find("b")->as_boolean("b"); }, Errc::kConfig, {"f.yaml:1:13", "\"no\""}));
  EXPECT_TRUE(v.find("d")->quoted);
  EXPECT_FALSE(v.find("b")->quoted);
}

TEST(Yaml, PlacesAreLineAndColumn) {
  const Value v = read("a: 1\nb:\n  - x\n  - {c: 2}\n");
  EXPECT_EQ(v.where, "f.yaml:1:1");
  EXPECT_EQ(v.find("a")->where, "f.yaml:1:4");
  EXPECT_EQ(v.find("b")->where, "f.yaml:2:1");  // the line of the key, not of the first item
  EXPECT_EQ(v.find("b")->items[0].where, "f.yaml:3:5");
  EXPECT_EQ(v.find("b")->items[1].find("c")->where, "f.yaml:4:9");
}

TEST(Yaml, AliasesAreCopies) {
  EXPECT_EQ(json("a: &x {r: 8}\nb: *x\nc: [*x, *x]\n"), R"({"a":{"r":8},"b":{"r":8},"c":[{"r":8},{"r":8}]})");
}

TEST(YamlRefuses, DuplicateKey) {
  EXPECT_TRUE(
      refused("rank: 8\nalpha: 1\nrank: 9\n", {"f.yaml:3:1", "duplicate key \"rank\"", "f.yaml:1:7"}));
  EXPECT_TRUE(refused("a: {b: 1, \"b\": 2}", {"f.yaml:1:11", "duplicate key \"b\""}));
}

TEST(YamlRefuses, AnchorToItself) {
  EXPECT_TRUE(refused("a: &x\n  b: *x\n", {"f.yaml:2:6", "alias inside its own anchor"}));
  EXPECT_TRUE(refused("&x [*x]", {"alias inside its own anchor"}));
}

TEST(YamlRefuses, UnknownAlias) { EXPECT_TRUE(refused("a: *nothing\n", {"f.yaml:1:4"})); }

TEST(YamlRefuses, AliasesThatExplode) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string prev = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
    text += name + ": &" + name + " [" + prev;
    for (int k = 0; k < 9; ++k) text += ", " + prev;
    text += "]\n";
  }
  EXPECT_TRUE(refused(text, {"more than 1000000 values"}));
}

TEST(YamlRefuses, SeveralDocuments) {
  EXPECT_TRUE(refused("a: 1\n---\nb: 2\n", {"f.yaml", "more than one document"}));
}

TEST(YamlRefuses, Tabs) {
  EXPECT_TRUE(refused("a:\n\tb: 1\n", {"f.yaml:2:1", "tab"}));
  EXPECT_TRUE(refused("a:\tb\n", {"f.yaml:1:3", "tab"}));
}

TEST(YamlRefuses, BinaryFiles) {
  EXPECT_TRUE(refused(std::string("a: b\0c", 6), {"f.yaml:1:5", "control character 0"}));
}

TEST(YamlRefuses, Tags) {
  EXPECT_TRUE(refused("a: !!int 5\n", {"f.yaml:1:4", "tag", "int"}));
  EXPECT_TRUE(refused("a: !mine {b: 1}\n", {"f.yaml:1:4", "!mine"}));
}

TEST(YamlRefuses, KeysThatAreNoText) {
  EXPECT_TRUE(refused("{[1, 2]: 3}", {"f.yaml:1:2", "a key must be text"}));
  EXPECT_TRUE(refused("~: 3", {"f.yaml:1:1", "a key must be text"}));
  EXPECT_TRUE(refused("a: &x k\n*x : 3\n", {"f.yaml:2:1", "a key must be text"}));
}

TEST(YamlRefuses, BrokenSyntax) {
  EXPECT_TRUE(refused("a: [1, 2\n", {"f.yaml:"}));
  EXPECT_TRUE(refused("a: 1\n  b: 2\n", {"f.yaml:2:"}));
  EXPECT_TRUE(refused("a: \"open\n", {"f.yaml:1:4", "never closed"}));
  EXPECT_TRUE(refused("{\"a\": 1, \"b", {"f.yaml:1:"}));
  EXPECT_TRUE(refused(std::string(100000, '['), {"f.yaml:1:"}));
}

TEST(YamlRefuses, MissingFile) {
  EXPECT_TRUE(throws_error([] { load_yaml("/no/such/file.yaml"); }, Errc::kInput, {"/no/such/file.yaml"}));
}

TEST(Yaml, LoadsAFileUnderItsName) {
  const TempDir dir;
  std::ofstream(dir.file("s.yaml")) << "a: 1\na: 2\n";
  EXPECT_TRUE(
      throws_error([&] { load_yaml(dir.file("s.yaml")); }, Errc::kConfig, {dir.file("s.yaml") + ":2:1"}));
}

TEST(ToYaml, IsReadable) {
  const Value v = read(
      "{study: x, plan: [{match: '*.norm*', recipe: {rank: 8}}, plain], empty: {}, none: [], nil: null}");
  EXPECT_EQ(to_yaml(v),
            "study: x\n"
            "plan:\n"
            "  - match: \"*.norm*\"\n"
            "    recipe:\n"
            "      rank: 8\n"
            "  - plain\n"
            "empty: {}\n"
            "none: []\n"
            "nil: null\n");
}

TEST(ToYaml, ReadsBackEqual) {
  Value v = read(
      "{a: 032, b: 1e3, c: -0, d: true, e: 0.50, f: [[1, [2, {}]], [], [{x: [1]}, {y: 2, z: 3}]], g: ~}");
  for (const char* s :
       {"",     "5",           "true",    "null",    "~",      "no",  "On",  "- a",  "a: b",
        "# c",  "*x",          "&x",      "!t",      "%d",     "@a",  "`q",  "|",    ">",
        "[",    "{",           "a\nb\n",  " lead",   "trail ", "\"",  "\\",  "'",    "tab\there",
        "\x01", "caf\xc3\xa9", "a #b",    "?",       "-",      "1.5", "032", "0x10", "=",
        "<<",   "a,b",         "$method", "x.y-z/w", "key: {"}) {
    v.at_or_add(concat("key ", s)) = Value::text(s);
    v.at_or_add("list").kind = Value::Kind::kList;
    v.at_or_add("list").items.push_back(Value::text(s));
  }
  const Value back = parse_yaml(to_yaml(v), "again");
  EXPECT_EQ(back.canonical_json(), v.canonical_json());
  EXPECT_EQ(to_yaml(back), to_yaml(v));
  for (const char* scalar : {"5", "\"5\"", "x", "null", "[]", "{}", "[1]"})
    EXPECT_EQ(json(to_yaml(read(scalar))), json(scalar)) << scalar;
}

TEST(Merge, MapsMergeAndTheRestIsReplaced) {
  const Value base = read("{a: {x: 1, y: [1, 2]}, b: 5, c: {z: 1}}");
  EXPECT_EQ(merge(base, read("{a: {y: [3], w: 4}, b: {q: 1}, c: ~, d: new}")).canonical_json(),
            json("{a: {x: 1, y: [3], w: 4}, b: {q: 1}, c: ~, d: new}"));
  EXPECT_EQ(merge(base, Value::map()).canonical_json(), base.canonical_json());
  EXPECT_EQ(merge(Value(), base).canonical_json(), base.canonical_json());
}

std::string overridden(const std::string& base, const std::string& text) {
  Value v = read(base);
  apply_override(v, text);
  return v.canonical_json();
}

TEST(Override, ChangesAddsAndRemoves) {
  EXPECT_EQ(overridden("{a: {b: 1, c: 2}}", "a.b=3"), json("{a: {b: 3, c: 2}}"));
  EXPECT_EQ(overridden("{a: {b: 1}}", "a={x: [1, 2]}"), json("{a: {x: [1, 2]}}"));
  EXPECT_EQ(overridden("{a: {b: 1}}", "a.b=null"), json("{a: {b: ~}}"));
  EXPECT_EQ(overridden("{a: {b: 1}}", "a.b=x=y"), json("{a: {b: x=y}}"));
  EXPECT_EQ(overridden("{a: {b: 1}}", "+a.c.d=2"), json("{a: {b: 1, c: {d: 2}}}"));
  EXPECT_EQ(overridden("{a: {b: 1, c: 2}}", "~a.b"), json("{a: {c: 2}}"));
  EXPECT_EQ(overridden("{p: [{m: x}, {m: y}]}", "p.1.m=z"), json("{p: [{m: x}, {m: z}]}"));
  EXPECT_EQ(overridden("{p: [1, 2]}", "+p.2=3"), json("{p: [1, 2, 3]}"));
  EXPECT_EQ(overridden("{p: [1, 2]}", "~p.0"), json("{p: [2]}"));
}

TEST(Override, RemembersWhereAValueCameFrom) {
  Value v = read("{a: {rank: 1}}");
  apply_override(v, "a.rank=[x]");
  EXPECT_EQ(v.find("a")->find("rank")->items[0].where, "override a.rank=[x]");
}

::testing::AssertionResult override_refused(const std::string& text, const std::vector<std::string>& parts) {
  Value v = read("{low_rank: {rank: 8, iterations: 20}, plan: [1, 2]}");
  const std::string before = v.canonical_json();
  const auto result = throws_error([&] { apply_override(v, text); }, Errc::kConfig, parts);
  if (v.canonical_json() != before)
    return ::testing::AssertionFailure() << "changed to " << v.canonical_json();
  return result;
}

TEST(OverrideRefuses, UnknownKey) {
  EXPECT_TRUE(override_refused(
      "low_rank.rnk=4", {"override low_rank.rnk=4", "`low_rank` has no `rnk`", "nearest: `rank`", "+"}));
  EXPECT_TRUE(override_refused("lowrank.rank=4", {"the top level has no `lowrank`", "nearest: `low_rank`"}));
  EXPECT_TRUE(override_refused("~low_rank.rnk", {"nearest: `rank`"}));
}

TEST(OverrideRefuses, NewKeyThatExists) {
  EXPECT_TRUE(override_refused("+low_rank.rank=4", {"`low_rank.rank` exists"}));
}

TEST(OverrideRefuses, PathThroughAScalar) {
  EXPECT_TRUE(override_refused("low_rank.rank.x=4", {"`low_rank.rank`", "single value \"8\"", "`x`"}));
  EXPECT_TRUE(override_refused("+low_rank.rank.x=4", {"single value"}));
}

TEST(OverrideRefuses, IndexOutsideTheList) {
  EXPECT_TRUE(override_refused("plan.2=4", {"`plan`", "`2`"}));
  EXPECT_TRUE(override_refused("+plan.3=4", {"a list of 2"}));
  EXPECT_TRUE(override_refused("plan.-1=4", {"`-1` is not an index"}));
  EXPECT_TRUE(override_refused("plan.1x=4", {"`1x` is not an index"}));
}

TEST(OverrideRefuses, MissingValue) {
  EXPECT_TRUE(override_refused("low_rank.rank", {"no value"}));
  EXPECT_TRUE(override_refused("low_rank.rank=", {"no value"}));
  EXPECT_TRUE(override_refused("~low_rank.rank=1", {"takes no value"}));
}

TEST(OverrideRefuses, EmptyNames) {
  for (const char* s : {"", "=1", ".a=1", "a..b=1", "a.=1", "+", "~"})
    EXPECT_TRUE(override_refused(s, {"override"})) << s;
}

TEST(OverrideRefuses, BrokenValue) {
  EXPECT_TRUE(override_refused("low_rank.rank=[1", {"override low_rank.rank=[1"}));
}

}  // namespace
}  // namespace svdlab
