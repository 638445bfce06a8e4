#pragma once
#include <string>

#include "experiments/study/cell_file.h"

namespace svdlab {

/// Every measured cell with its place by output SQNR and by PSNR, best PSNR first, and what it gains at equal
/// bits. Cells with other outliers are ranked among themselves. Columns:
///   output SQNR, 95 %: mean over the layers, bootstrap over the layers;
///   PSNR, 95 %: mean over the items, bootstrap over the items;
///   at equal bits, 95 %: PSNR less that of the baseline at the cell's bits per weight, paired by item. The
///   baseline of a scheme are its own cells rtn, svdquant and svdquant-r<rank>, straight lines between
///   neighbours in bits, item by item; beyond its ends the nearest one stands, and `against` says by how many
///   bits it differs. A cell that fitted branch and residual in more than one round is held against
///   svdquant-iterated and svdquant-iterated-r<rank> where the scheme has them. NaN for the baselines' own
///   cells and for schemes without one.
Table ranking_table(const ResultFile& results);

/// The same in words.
std::string ranking_caption();

}  // namespace svdlab
