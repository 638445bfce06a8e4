#include <algorithm>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/hdf5.h"

namespace svdlab {

size_t Column::rows() const {
  return std::visit([](const auto& v) { return v.size(); }, values);
}

const Column& Table::column(const std::string& wanted) const {
  std::vector<std::string> names;
  for (const Column& c : columns) {
    if (c.name == wanted) return c;
    names.push_back(c.name);
  }
  throw Error(Errc::kInput, concat("table ", name, " has no column \"", wanted, "\"; nearest: \"",
                                   nearest(wanted, names), "\""));
}

Column& Table::column(const std::string& wanted) {
  return const_cast<Column&>(static_cast<const Table*>(this)->column(wanted));
}

}  // namespace svdlab
