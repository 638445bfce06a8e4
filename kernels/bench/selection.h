#pragma once
#include <string>
#include <vector>

namespace svdlab::bench {

/// Which cases are timed.
struct Selection {
  /// Kinds of case (Measurement::what) and first words of variants: a case is timed when every of the two
  /// groups that has an entry names it. Empty: all. The copy, and the bf16 product that ratios need, always.
  std::vector<std::string> only;
  bool quick = false;    ///< one large shape
  bool clusters = true;  ///< false: the exact loop without thread block clusters
};

/// Throws kConfig for a name in `only` that no case has, with the nearest.
void check_selection(const Selection& selection);

/// Whether some case of a kind may be timed; whether a case is.
bool is_selected_kind(const Selection& selection, const std::string& what);
bool is_selected(const Selection& selection, const std::string& what, const std::string& variant);

}  // namespace svdlab::bench
