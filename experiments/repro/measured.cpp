#include "experiments/repro/measured.h"

#include <algorithm>

namespace svdlab {

std::string folder_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.find_last_of('/') + 1);
}

std::string MeasuredTable::model_of(const PaperSection& section) const {
  if (model.empty()) return section.name;
  return model + " (" + model_sha256.substr(0, 8) + ")";
}

bool MeasuredTable::same_model(const PaperSection& section) const {
  return model.empty() ||
         std::find(section.models.begin(), section.models.end(), model) != section.models.end();
}

const MeasuredRow* MeasuredTable::find(const PaperCell& cell, const std::string& row) const {
  const auto found = rows.find({cell.section, cell.column, row});
  return found == rows.end() ? nullptr : &found->second;
}

}  // namespace svdlab
