#pragma once
#include <string>
#include <vector>

namespace svdlab {

/// One thing a study or command line can name.
struct MethodHandle {
  /// preset, transform, driver, solver, objective, weights, activations, branch, scheme, analysis: a name of
  /// that catalogue. recipe: a key of a recipe with its value; calibration: one of a study's `calibration`.
  std::string kind;
  std::string name;
};

enum class MethodState {
  kWorks,       ///< runs in a study or analysis, its property tested
  kSimulation,  ///< the same, but its activation path cannot run in integer or fp4 codes
  kPlanned,     ///< nothing of it is here
};
std::string to_string(MethodState state);

/// One of the 56 related systems that this project measures itself by. What is there is said by its handles:
/// a row without any is planned.
struct RelatedMethod {
  int number = 0;  ///< 1 .. 56, as the project counts them
  std::string name;
  std::string paper;  ///< arXiv identifier
  std::string slot;   ///< what kind of stage it is
  std::string what;   ///< one line
  std::vector<MethodHandle> handles = {};
  std::string scope = "";   ///< what of the paper is here, where that is not all
  bool simulation = false;  ///< see MethodState

  MethodState state() const {
    if (handles.empty()) return MethodState::kPlanned;
    return simulation ? MethodState::kSimulation : MethodState::kWorks;
  }
  /// "preset eora; objective whitened", "" for planned.
  std::string reached_by() const;
};

/// All 56, in the order of their numbers.
const std::vector<RelatedMethod>& related_methods();

/// Builds what the handle names, the way a study would. Throws kConfig when there is no such thing.
void check_handle(const MethodHandle& handle);

/// A table for people, GitHub's Markdown: what the project's README shows.
std::string related_methods_markdown();

}  // namespace svdlab
