#include "experiments/compare/verdict.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr size_t kNamed = 5;  // rows missing on one side that are named

std::string six_digits(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}

std::string in_unit(const Gate& gate, double v) {
  return gate.relative ? six_digits(100 * v) + "%" : six_digits(v);
}

std::string margin_text(const GateResult& r) {
  if (r.gate.limit == Limit::kExact) return "";
  return ", worst " + in_unit(r.gate, r.worst_change) + ", margin " +
         in_unit(r.gate, r.gate.bound - r.worst_change);
}

std::string head(const GateResult& r) {
  std::string out = std::string(r.passed() ? "pass  " : "FAIL  ") + gate_text(r.gate) + ": " +
                    std::to_string(r.compared) + (r.gate.paired ? " cells" : " values");
  if (!r.passed()) out += ", " + std::to_string(r.offenders.size()) + " offenders";
  out += margin_text(r);
  if (r.left_out > 0)
    out += ", " + std::to_string(r.left_out) + " rows without numbers on both sides left out";
  return out + "\n";
}

std::string offender_text(const char* which, const GateResult& r, const Offender& o,
                          const std::string& command) {
  RowFilter only = {{"table", r.gate.table.substr(1)}};
  only.insert(only.end(), o.key.begin(), o.key.end());
  return concat("      ", which, ": ", key_text(o.key), ": ", o.what, "\n             ", command, " --only ",
                shell_word(filter_text(only)), "\n");
}

bool is_missing(const Offender& o) { return o.what.rfind("only in ", 0) == 0; }

std::string missing_text(const GateResult& r) {
  const size_t count = static_cast<size_t>(std::count_if(r.offenders.begin(), r.offenders.end(), is_missing));
  if (count == 0) return "";
  std::string out = "      on one side only:";
  size_t named = 0;
  for (const Offender& o : r.offenders)
    if (is_missing(o) && named++ < kNamed)
      out += (named > 1 ? "; " : " ") + key_text(o.key) + " (" + o.what.substr(5) + ")";
  return out + (count > kNamed ? "; and " + std::to_string(count - kNamed) + " more\n" : "\n");
}

}  // namespace

std::string shell_word(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-./+=:@%,", c);
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string verdict_text(const std::vector<GateResult>& results, const std::string& command) {
  std::string out;
  for (const GateResult& r : results) {
    out += head(r);
    if (r.passed()) continue;
    out += offender_text("first", r, r.first(), command) + offender_text("worst", r, r.worst(), command);
    out += missing_text(r);
  }
  return out;
}

void require_passed(const std::vector<GateResult>& results) {
  size_t failed = 0;
  const GateResult* first = nullptr;
  for (const GateResult& r : results)
    if (!r.passed() && failed++ == 0) first = &r;
  SVDLAB_REQUIRE(failed == 0, Errc::kGate, failed, " of ", results.size(),
                 " gates did not pass, the first: ", gate_text(first->gate), ", at ",
                 key_text(first->first().key), " (", first->first().what, ")");
}

}  // namespace svdlab
