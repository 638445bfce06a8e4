#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/io/hdf5.h"
#include "eval/bootstrap.h"

namespace svdlab {

/// PSNR of every picture of one cell, by the item's name. From /samples.
using ItemValues = std::map<std::string, double>;
ItemValues psnr_by_item(const Table& samples, const std::string& cell);

/// Mean of a - b over the items both have, with a paired 95 % interval; all NaN and n 0 when they share none.
Interval paired_difference(const ItemValues& a, const ItemValues& b);

}  // namespace svdlab
