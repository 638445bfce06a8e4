#include "experiments/tables/item_values.h"

#include <cmath>

#include "experiments/study/table_rows.h"

namespace svdlab {

ItemValues psnr_by_item(const Table& samples, const std::string& cell) {
  ItemValues out;
  for (const size_t row : rows_where(samples, "cell", cell))
    out[texts(samples, "item")[row]] = numbers(samples, "psnr_db")[row];
  return out;
}

Interval paired_difference(const ItemValues& a, const ItemValues& b) {
  std::vector<double> ours, theirs;
  for (const auto& [item, value] : a)
    if (const auto found = b.find(item); found != b.end())
      ours.push_back(value), theirs.push_back(found->second);
  return ours.empty() ? Interval{std::nan(""), std::nan(""), std::nan(""), 0}
                      : bootstrap_mean_difference(ours, theirs, "psnr");
}

}  // namespace svdlab
