#include "experiments/compare/machine_class.h"

#include <ATen/Version.h>
#include <gnu/libc-version.h>

#include <set>

#include "experiments/study/build_info.h"
#include "experiments/study/provenance.h"

// Weak: other BLAS libraries do not have these.
extern "C" {
__attribute__((weak)) char* openblas_get_config(void);
__attribute__((weak)) char* openblas_get_corename(void);
}

namespace svdlab {
namespace {

// The rest of the line of torch's description that starts with `head`.
std::string torch_says(const std::string& head) {
  const std::string text = at::show_config();
  const size_t at = text.find(head);
  if (at == std::string::npos) return "unknown";
  const size_t start = at + head.size();
  return text.substr(start, text.find('\n', start) - start);
}

std::string blas() {
  if (openblas_get_config == nullptr || openblas_get_corename == nullptr) return torch_says("BLAS_INFO=");
  return std::string(openblas_get_config()) + ", kernels for " + openblas_get_corename();
}

std::string torch_version() {
  for (const auto& [name, version] : build_info().libraries)
    if (name == "torch") return version;
  return "unknown";
}

}  // namespace

std::map<std::string, std::string> machine_class() {
  const BuildInfo& info = build_info();
  return {{"processor_features", machine().features},
          {"torch", torch_version()},
          {"torch_kernels", torch_says("CPU capability usage: ")},
          {"blas", blas()},
          {"compiler", info.compiler},
          {"flags", info.flags},
          {"libc", ::gnu_get_libc_version()}};
}

Value class_to_value(const std::map<std::string, std::string>& machine) {
  Value v = Value::map();
  for (const auto& [name, text] : machine) v.at_or_add(name) = Value::text(text);
  return v;
}

std::map<std::string, std::string> class_from_value(const Value& value) {
  SVDLAB_REQUIRE(value.kind == Value::Kind::kMap, Errc::kConfig, value.where, ": a machine class is a map");
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : value.members) out[name] = text.as_text(name);
  return out;
}

std::string class_differences(const std::map<std::string, std::string>& here,
                              const std::map<std::string, std::string>& there) {
  const auto entry = [](const std::map<std::string, std::string>& m, const std::string& name) {
    const auto found = m.find(name);
    return found == m.end() ? "not recorded" : "\"" + found->second + "\"";
  };
  std::set<std::string> names;
  for (const auto* m : {&here, &there})
    for (const auto& [name, text] : *m) names.insert(name);
  std::string out;
  for (const std::string& name : names)
    if (entry(here, name) != entry(there, name))
      out += (out.empty() ? "" : "; ") + name + " is " + entry(here, name) + ", there " + entry(there, name);
  return out;
}

}  // namespace svdlab
