#include "core/base/error.h"
#include "experiments/methods/catalogue.h"

namespace svdlab {

std::string to_string(MethodState state) {
  constexpr const char* kNames[] = {"works", "simulation", "planned"};
  return kNames[static_cast<int>(state)];
}

std::string RelatedMethod::reached_by() const {
  std::string out, last_kind;
  for (const MethodHandle& h : handles) {
    if (h.kind == last_kind)
      out += ", " + h.name;
    else
      out += concat(out.empty() ? "" : "; ", h.kind, ' ', h.name);
    last_kind = h.kind;
  }
  return out;
}

std::string related_methods_markdown() {
  std::string out = "| # | method | slot | state | reached by | what it does |\n|---:|---|---|---|---|---|\n";
  for (const RelatedMethod& m : related_methods())
    out += concat("| ", m.number, " | [", m.name, "](https://arxiv.org/abs/", m.paper, ") | ", m.slot, " | ",
                  to_string(m.state()), " | ", m.reached_by(), " | ", m.what,
                  m.scope.empty() ? "" : " (here: " + m.scope + ")", " |\n");
  return out;
}

}  // namespace svdlab
