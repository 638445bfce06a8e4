#include "experiments/study/image_grid.h"

#include "core/base/error.h"

namespace svdlab {

Image image_grid(const std::vector<Image>& images, int columns) {
  SVDLAB_REQUIRE(!images.empty() && columns > 0, Errc::kInput, "an image grid needs images");
  constexpr int kBorder = 2;
  constexpr uint8_t kGrey = 128;
  const int w = images[0].width, h = images[0].height, count = static_cast<int>(images.size());
  const int across = std::min(columns, count), down = (count + across - 1) / across;
  Image grid{.width = across * (w + kBorder) + kBorder, .height = down * (h + kBorder) + kBorder};
  grid.rgb.assign(size_t{3} * grid.width * grid.height, kGrey);
  for (int i = 0; i < count; ++i) {
    SVDLAB_REQUIRE(images[i].width == w && images[i].height == h, Errc::kInput, "image ", i, " of a grid is ",
                   images[i].width, " x ", images[i].height, ", the first is ", w, " x ", h);
    const int left = kBorder + i % across * (w + kBorder), top = kBorder + i / across * (h + kBorder);
    for (int y = 0; y < h; ++y)
      std::copy_n(&images[i].rgb[size_t{3} * w * y], 3 * w,
                  &grid.rgb[3 * (size_t(grid.width) * (top + y) + left)]);
  }
  return grid;
}

}  // namespace svdlab
