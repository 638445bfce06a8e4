#include "core/base/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::throws_error;

Value plain(std::string s, std::string where = "") {
  Value v = Value::text(std::move(s));
  v.quoted = false;
  v.where = std::move(where);
  return v;
}

Value map_of(std::vector<Value::Member> members) {
  Value v = Value::map();
  v.members = std::move(members);
  v.where = "f.yaml:1:1";
  return v;
}

TEST(Value, IntegersAreReadExactly) {
  EXPECT_EQ(plain("0").as_integer("a"), 0);
  EXPECT_EQ(plain("-7").as_integer("a"), -7);
  EXPECT_EQ(plain("9223372036854775807").as_integer("a"), INT64_MAX);
  EXPECT_EQ(plain("-9223372036854775808").as_integer("a"), INT64_MIN);
}

TEST(Value, IntegersRefuseEverythingElse) {
  for (const char* s :
       {"1e3", "1.0", "+5", "0x10", "1_000", "", "-", "--1", "1 ", "true", "NaN", ".inf", "o7"})
    EXPECT_TRUE(
        throws_error([&] { plain(s).as_integer("a.b"); }, Errc::kConfig, {"`a.b` must be an integer", s}))
        << s;
  EXPECT_TRUE(throws_error([] { plain("032", "f.yaml:3:7").as_integer("rank"); }, Errc::kConfig,
                           {"f.yaml:3:7: `rank`", "032", "leading zero"}));
  EXPECT_TRUE(throws_error([] { plain("-01").as_integer("a"); }, Errc::kConfig, {"leading zero"}));
  EXPECT_TRUE(
      throws_error([] { Value::text("5").as_integer("a"); }, Errc::kConfig, {"text \"5\"", "quotes"}));
  EXPECT_TRUE(throws_error([] { plain("9223372036854775808").as_integer("a"); }, Errc::kConfig, {"64 bits"}));
  EXPECT_TRUE(throws_error([] { Value().as_integer("a"); }, Errc::kConfig, {"null"}));
  EXPECT_TRUE(throws_error([] { Value::map().as_integer("a"); }, Errc::kConfig, {"a map"}));
  EXPECT_TRUE(throws_error([] { Value::list().as_integer("a"); }, Errc::kConfig, {"a list"}));
}

TEST(Value, NumbersFollowTheGrammarOfJson) {
  EXPECT_EQ(plain("1e3").as_number("a"), 1000.0);
  EXPECT_EQ(plain("-2.5E-1").as_number("a"), -0.25);
  EXPECT_EQ(plain("32").as_number("a"), 32.0);
  EXPECT_EQ(plain("0.1").as_number("a"), 0.1);
  for (const char* s : {".5", "5.", "032.5", "1e", "1e+", ".inf", "nan", "inf", "0x1p3", "1,5", "", "1.5f"})
    EXPECT_TRUE(
        throws_error([&] { plain(s).as_number("a"); }, Errc::kConfig, {"`a` must be a finite number"}))
        << s;
  EXPECT_TRUE(throws_error([] { plain("1e400").as_number("a"); }, Errc::kConfig, {"range of double"}));
  EXPECT_TRUE(throws_error([] { Value::text("0.5").as_number("a"); }, Errc::kConfig, {"quotes"}));
}

TEST(Value, BooleansAreTrueOrFalseOnly) {
  EXPECT_TRUE(plain("true").as_boolean("a"));
  EXPECT_FALSE(plain("false").as_boolean("a"));
  for (const char* s : {"yes", "no", "on", "off", "True", "FALSE", "1", "0", "y", ""})
    EXPECT_TRUE(throws_error([&] { plain(s).as_boolean("a"); }, Errc::kConfig, {"true or false"})) << s;
  EXPECT_TRUE(throws_error([] { Value::text("true").as_boolean("a"); }, Errc::kConfig, {"true or false"}));
}

TEST(Value, TextIsKeptAsWritten) {
  EXPECT_EQ(plain("int4").as_text("a"), "int4");
  EXPECT_EQ(plain("032").as_text("a"), "032");
  EXPECT_EQ(Value::text("").as_text("a"), "");
  EXPECT_TRUE(throws_error([] { Value().as_text("a"); }, Errc::kConfig, {"`a` must be text, not null"}));
  EXPECT_TRUE(throws_error([] { Value::list().as_text("a"); }, Errc::kConfig, {"a list of 0"}));
}

TEST(Value, FactoriesReadBack) {
  for (const double x : {0.1, 1.0 / 3, 1e300, 5e-324, -2.5, 1e16, 123456789.0})
    EXPECT_EQ(Value::number(x).as_number("a"), x);
  EXPECT_EQ(Value::number(2).as_integer("a"), 2);
  EXPECT_EQ(Value::integer(INT64_MIN).as_integer("a"), INT64_MIN);
  EXPECT_TRUE(Value::boolean(true).as_boolean("a"));
  EXPECT_TRUE(throws_error([] { Value::number(std::nan("")); }, Errc::kConfig, {"finite"}));
  EXPECT_TRUE(throws_error([] { Value::number(-std::numeric_limits<double>::infinity()); }, Errc::kConfig,
                           {"finite"}));
}

TEST(Value, CanonicalJson) {
  Value v = map_of({{"z", Value::integer(1)}, {"a", plain("0.50")}, {"m", Value::list()}});
  v.at_or_add("m").items = {plain("true"), Value(),     Value::text("5"),
                            plain("1E3"),  plain("-0"), plain("032")};
  EXPECT_EQ(v.canonical_json(), R"({"a":0.5,"m":[true,null,"5",1000,0,"032"],"z":1})");
  EXPECT_EQ(Value().canonical_json(), "null");
  EXPECT_EQ(Value::map().canonical_json(), "{}");
  EXPECT_EQ(plain("-0.0").canonical_json(), "0");
  EXPECT_EQ(plain("1e400").canonical_json(), "\"1e400\"");
  EXPECT_EQ(Value::text("a\"b\\c\n\t\x01\xc3\xa9").canonical_json(), "\"a\\\"b\\\\c\\n\\t\\u0001\xc3\xa9\"");
}

TEST(Value, CanonicalJsonIgnoresPlaceAndOrderButNotContent) {
  const Value a = map_of({{"x", plain("1", "here")}, {"y", plain("b")}});
  Value b = map_of({{"y", Value::text("b")}, {"x", plain("1.0", "there")}});
  EXPECT_EQ(a.canonical_json(), b.canonical_json());
  b.at_or_add("x") = plain("2");
  EXPECT_NE(a.canonical_json(), b.canonical_json());
}

TEST(Value, AtOrAddKeepsOrderAndTurnsNullIntoAMap) {
  Value v;
  v.at_or_add("b") = Value::integer(1);
  v.at_or_add("a") = Value::integer(2);
  v.at_or_add("b") = Value::integer(3);
  ASSERT_EQ(v.members.size(), 2u);
  EXPECT_EQ(v.members[0].first, "b");
  EXPECT_EQ(v.find("b")->as_integer("b"), 3);
  EXPECT_EQ(v.find("c"), nullptr);
  Value list = Value::list();
  EXPECT_TRUE(throws_error([&] { list.at_or_add("k"); }, Errc::kConfig, {"\"k\"", "a list"}));
}

TEST(Fields, ReadsWithFallbacks) {
  const Value v =
      map_of({{"rank", plain("8")}, {"alpha", plain("0.5")}, {"on", plain("true")}, {"name", plain("x")}});
  Fields f(v, "method");
  EXPECT_EQ(f.integer("rank", 1), 8);
  EXPECT_EQ(f.number("alpha", 1), 0.5);
  EXPECT_TRUE(f.boolean("on", false));
  EXPECT_EQ(f.text("name", "y"), "x");
  EXPECT_EQ(f.required_text("name"), "x");
  EXPECT_EQ(f.integer("absent", 3), 3);
  EXPECT_EQ(f.number("absent", 3), 3);
  EXPECT_TRUE(f.boolean("absent", true));
  EXPECT_EQ(f.text("absent", "y"), "y");
  EXPECT_FALSE(f.has("absent"));
  EXPECT_TRUE(f.has("rank"));
  EXPECT_EQ(f.child("absent"), nullptr);
  f.finish();
}

TEST(Fields, ErrorsCarryTheFullPath) {
  const Value v = map_of({{"rank", plain("eight", "f.yaml:2:9")}});
  Fields f(v, "methods.svdquant");
  EXPECT_TRUE(throws_error([&] { f.integer("rank", 1); }, Errc::kConfig,
                           {"f.yaml:2:9: ", "`methods.svdquant.rank` must be an integer, not \"eight\""}));
  EXPECT_TRUE(throws_error([&] { f.required_text("name"); }, Errc::kConfig,
                           {"f.yaml:1:1", "`methods.svdquant.name` is missing"}));
}

TEST(Fields, FinishNamesTheUnknownKeyAndTheNearestKnownOne) {
  const Value v = map_of({{"rank", plain("8")}, {"itertions", plain("20", "f.yaml:4:14")}});
  Fields f(v, "low_rank");
  f.integer("rank", 0);
  f.integer("iterations", 0);
  EXPECT_TRUE(
      throws_error([&] { f.finish(); }, Errc::kConfig,
                   {"f.yaml:4:14: unknown key `low_rank.itertions`; nearest: `low_rank.iterations`"}));
  Fields none(v, "");
  EXPECT_TRUE(
      throws_error([&] { none.finish(); }, Errc::kConfig, {"unknown key `rank`", "no key is known here"}));
}

TEST(Fields, TakesNullAsEmptyAndRefusesTheRest) {
  const Value null;
  Fields f(null, "transform");
  EXPECT_EQ(f.integer("a", 4), 4);
  f.finish();
  EXPECT_TRUE(throws_error([] { Fields(Value::list(), "plan"); }, Errc::kConfig, {"`plan` must be a map"}));
  EXPECT_TRUE(
      throws_error([] { Fields(plain("x"), ""); }, Errc::kConfig, {"`top level` must be a map, not \"x\""}));
}

}  // namespace
}  // namespace svdlab
