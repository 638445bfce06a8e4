#pragma once
#include <vector>

#include "core/io/png.h"

namespace svdlab {

/// Pictures of equal size, `columns` a row, with a border of 2 grey pixels; rows that are not full end in
/// grey.
Image image_grid(const std::vector<Image>& images, int columns = 8);

}  // namespace svdlab
