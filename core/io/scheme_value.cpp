#include "core/io/scheme_value.h"

#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {
namespace {

template <class Enum>
Enum one_of(const std::string& text, const std::vector<Enum>& known, const std::string& where,
            const std::string& path) {
  std::vector<std::string> names;
  for (const Enum e : known) {
    if (to_string(e) == text) return e;
    names.push_back(to_string(e));
  }
  throw Error(Errc::kConfig, concat(where, ": `", path, "` is unknown: \"", text, "\"; nearest: \"",
                                    nearest(text, names), "\""));
}

const std::vector<NumberFormat> kFormats = {NumberFormat::kInt4,   NumberFormat::kInt8,
                                            NumberFormat::kNf4,    NumberFormat::kFp4E2M1,
                                            NumberFormat::kAffine, NumberFormat::kCodebook};
const std::vector<ScaleFormat> kScales = {ScaleFormat::kFp32, ScaleFormat::kBf16, ScaleFormat::kE4M3,
                                          ScaleFormat::kE8M0};

Grouping grouping_named(const std::string& text, const std::string& where, const std::string& path) {
  if (text == "group") return Grouping::kGroup;
  if (text == "row") return Grouping::kRow;
  if (text == "tensor") return Grouping::kTensor;
  throw Error(Errc::kConfig,
              concat(where, ": `", path, "` must be group, row or tensor, not \"", text, "\""));
}

std::string grouping_name(Grouping g) {
  return g == Grouping::kGroup ? "group" : g == Grouping::kRow ? "row" : "tensor";
}

}  // namespace

void read_tensor_scheme(Fields& f, TensorScheme& s) {
  s.format = one_of(f.text("format", to_string(s.format)), kFormats, f.where(), f.path_of("format"));
  if (f.has("group")) {
    s.group = f.integer("group", s.group);
    s.grouping = Grouping::kGroup;
    SVDLAB_REQUIRE(s.group > 0, Errc::kConfig, f.where(), ": `", f.path_of("group"),
                   "` must be positive, not ", s.group);
  }
  s.grouping =
      grouping_named(f.text("grouping", grouping_name(s.grouping)), f.where(), f.path_of("grouping"));
  SVDLAB_REQUIRE(!f.has("group") || s.grouping == Grouping::kGroup, Errc::kConfig, f.where(), ": `",
                 f.path_of("group"), "` goes with grouping group, not ", grouping_name(s.grouping));
  s.scale = one_of(f.text("scale", to_string(s.scale)), kScales, f.where(), f.path_of("scale"));
  s.two_level = f.boolean("two_level", s.two_level);
  s.bits = static_cast<int>(f.integer("bits", s.bits));
  SVDLAB_REQUIRE(s.bits >= 1 && s.bits <= 8, Errc::kConfig, f.where(), ": `", f.path_of("bits"),
                 "` must be 1 to 8, not ", s.bits);
  s.scale_code_bits = static_cast<int>(f.integer("scale_code_bits", s.scale_code_bits));
  s.scale_group = f.integer("scale_group", s.scale_group);
  SVDLAB_REQUIRE(
      s.scale_code_bits == 0 || (s.scale_code_bits > 0 && s.scale_code_bits <= 8 && s.scale_group > 0),
      Errc::kConfig, f.where(), ": scales coded in ", s.scale_code_bits, " bits in groups of ", s.scale_group,
      "; bits must be 1 to 8, the group positive");
}

Value tensor_scheme_value(const TensorScheme& s) {
  Value v = Value::map();
  v.at_or_add("format") = Value::text(to_string(s.format));
  v.at_or_add("grouping") = Value::text(grouping_name(s.grouping));
  if (s.grouping == Grouping::kGroup) v.at_or_add("group") = Value::integer(s.group);
  v.at_or_add("scale") = Value::text(to_string(s.scale));
  v.at_or_add("two_level") = Value::boolean(s.two_level);
  if (s.bits != TensorScheme().bits) v.at_or_add("bits") = Value::integer(s.bits);
  if (s.scale_code_bits > 0) v.at_or_add("scale_code_bits") = Value::integer(s.scale_code_bits);
  if (s.scale_code_bits > 0) v.at_or_add("scale_group") = Value::integer(s.scale_group);
  return v;
}

}  // namespace svdlab
