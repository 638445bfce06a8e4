#pragma once
#include <string>
#include <vector>

#include "core/io/png.h"
#include "experiments/study/model16.h"
#include "experiments/study/schedule.h"
#include "experiments/study/study_config.h"

namespace svdlab {

/// The model of a study with its outliers turned as far as some cells ask, and its 16-bit run: what the cells
/// are measured against. Trajectories and pictures are kept in a folder, one item a file, so that they are
/// made once.
class Reference : public Model16 {
 public:
  Reference(const StudyConfig& study, const OutlierDial& dial, const std::string& folder);

  /// Makes or loads the first `count` items.
  void ensure(int64_t count, const Schedule& schedule);
  const SampleItem& item(int64_t i) const { return items_.at(i); }
  const Trajectory& trajectory(int64_t i) const { return trajectories_.at(i); }
  const Image& image(int64_t i) const { return images_.at(i); }
  const std::string& folder() const { return folder_; }

 private:
  bool load(int64_t i);
  void make(int64_t i);

  std::string folder_;
  uint64_t seed_;
  std::vector<SampleItem> items_;
  std::vector<Trajectory> trajectories_;
  std::vector<Image> images_;
};

/// Name of the reference among the cells: "16-bit", with the dial's tag when it is on.
std::string reference_name(const OutlierDial& dial);

}  // namespace svdlab
