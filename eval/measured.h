#pragma once
#include <string>
#include <vector>

#include "eval/bootstrap.h"

namespace svdlab {

/// One number, by which definition, against what.
struct Measured {
  std::string metric;          ///< "psnr_mean"
  std::string unit;            ///< "dB" or ""
  Interval interval;           ///< lo and hi are NaN where no interval is known; n 0 where n is not known
  std::string implementation;  ///< "scikit-image default, uniform 7 x 7"
  std::string compared_with;   ///< folder or file
};

struct Measurements {
  std::vector<Measured> values;
  std::vector<std::string> notes;  ///< what was not measured and why; what to mind

  void add(const std::string& metric, const Interval& interval, const std::string& implementation,
           const std::string& compared_with, const std::string& unit = "");
  void note(const std::string& text);
};

/// "a.png, b.png, c.png ...": the first three of `names`.
std::string first_names(const std::vector<std::string>& names);

}  // namespace svdlab
