#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/io/png.h"
#include "core/models/model.h"
#include "experiments/sampling/sampler.h"
#include "experiments/study/study_config.h"

namespace svdlab {

/// How the work of a study is spread; results do not depend on it.
struct Schedule {
  int threads = 1;
  int64_t batch = 0;  ///< items handed out at a time; 0: all
};

/// body(i) for i in [begin, end) on the schedule's workers, one torch thread each. `progress(done, total)`
/// calls do not overlap.
void for_each_item(int64_t begin, int64_t end, const Schedule& schedule,
                   const std::function<void(int64_t)>& body,
                   const std::function<void(int64_t, int64_t)>& progress = {});

/// The model of a study with its outliers turned as far as some cells ask, and its 16-bit run: what the cells
/// are measured against. Trajectories and pictures are kept in a folder, one item a file, so that they are
/// made once.
class Reference {
 public:
  Reference(const StudyConfig& study, const OutlierDial& dial, const std::string& folder);
  ~Reference();

  const Model& model() const { return model_; }
  const Conditioning& conditioning() const { return conditioning_; }
  const SamplingFacts& facts() const { return facts_; }
  double guidance() const { return options_.guidance; }
  const Executor& executor() const { return *executor_; }
  const Sampler& sampler() const { return *sampler_; }
  /// A sampler like the reference's own around another executor, which must outlive it.
  Sampler sampler_for(const Executor& executor) const { return Sampler(executor, model_, options_); }
  const std::vector<double>& sigmas() const { return sigmas_; }
  /// False for models whose latents are not pixels: there are no pictures then.
  bool makes_pictures() const { return pictures_; }

  /// Makes or loads the first `count` items.
  void ensure(int64_t count, const Schedule& schedule);
  const SampleItem& item(int64_t i) const { return items_.at(i); }
  const Trajectory& trajectory(int64_t i) const { return trajectories_.at(i); }
  const Image& image(int64_t i) const { return images_.at(i); }
  int64_t size() const { return static_cast<int64_t>(trajectories_.size()); }
  std::string folder() const { return folder_; }

 private:
  bool load(int64_t i);
  void make(int64_t i);

  std::string folder_;
  uint64_t seed_;
  Model model_;
  Conditioning conditioning_;
  SamplingFacts facts_;
  SamplerOptions options_;
  bool pictures_ = false;
  std::vector<double> sigmas_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Sampler> sampler_;
  std::vector<SampleItem> items_;
  std::vector<Trajectory> trajectories_;
  std::vector<Image> images_;
};

/// Name of the reference among the cells: "16-bit", with the dial's tag when it is on.
std::string reference_name(const OutlierDial& dial);

}  // namespace svdlab
