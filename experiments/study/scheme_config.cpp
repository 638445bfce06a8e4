#include "experiments/study/scheme_config.h"

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/scheme_value.h"

namespace svdlab {

Scheme parse_scheme(const std::string& name, const Value& value, const std::string& path) {
  Fields f(value, path);
  Scheme s;
  if (f.has("base")) s = find_scheme(f.text("base", ""), {}, f.where());
  s.name = name;
  const Value *weights = f.child("weights"), *activations = f.child("activations");
  if (weights && weights->kind == Value::Kind::kNull) s.weights.reset();
  if (activations && activations->kind == Value::Kind::kNull) s.activations.reset();
  if (weights && weights->kind != Value::Kind::kNull) {
    Fields w(*weights, f.path_of("weights"));
    TensorScheme tensor = s.weights.value_or(TensorScheme());
    read_tensor_scheme(w, tensor);
    w.finish();
    s.weights = tensor;
  }
  if (activations && activations->kind != Value::Kind::kNull) {
    Fields a(*activations, f.path_of("activations"));
    ActivationScheme scheme = s.activations.value_or(ActivationScheme());
    read_tensor_scheme(a, scheme.tensor);
    scheme.shift_after_gelu = a.boolean("shift_after_gelu", scheme.shift_after_gelu);
    SVDLAB_REQUIRE(a.boolean("dynamic", true), Errc::kConfig, a.where(), ": `", a.path_of("dynamic"),
                   "` must be true: activation scales are taken from the tokens at hand");
    a.finish();
    s.activations = scheme;
  }
  f.finish();
  SVDLAB_REQUIRE(s.weights || !s.activations, Errc::kConfig, value.where, ": scheme `", name,
                 "` quantizes activations but not weights; add `weights`");
  return s;
}

Value scheme_to_value(const Scheme& s) {
  Value v = Value::map();
  if (s.weights) v.at_or_add("weights") = tensor_scheme_value(*s.weights);
  if (s.activations) {
    Value a = tensor_scheme_value(s.activations->tensor);
    a.at_or_add("shift_after_gelu") = Value::boolean(s.activations->shift_after_gelu);
    v.at_or_add("activations") = a;
  }
  return v;
}

const Scheme& find_scheme(const std::string& name, const std::vector<Scheme>& own, const std::string& where) {
  std::vector<std::string> names;
  for (const std::vector<Scheme>* list : {&own, &built_in_schemes()})
    for (const Scheme& s : *list) {
      if (s.name == name) return s;
      names.push_back(s.name);
    }
  throw Error(Errc::kConfig, concat(where.empty() ? "" : where + ": ", "unknown scheme \"", name,
                                    "\"; nearest: \"", nearest(name, names), "\""));
}

}  // namespace svdlab
