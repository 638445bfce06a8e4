#include "experiments/study/image_grid.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace svdlab {
namespace {

Image filled(int width, int height, uint8_t value) {
  return {.width = width, .height = height, .rgb = std::vector<uint8_t>(size_t{3} * width * height, value)};
}

uint8_t red(const Image& image, int x, int y) { return image.rgb[size_t{3} * (y * image.width + x)]; }

TEST(ImageGrid, PutsPicturesRowByRowWithBorders) {
  const Image grid = image_grid({filled(3, 2, 10), filled(3, 2, 20), filled(3, 2, 30)}, 2);
  ASSERT_EQ(grid.width, 2 * 5 + 2);
  ASSERT_EQ(grid.height, 2 * 4 + 2);
  EXPECT_EQ(red(grid, 0, 0), 128);
  EXPECT_EQ(red(grid, 2, 2), 10);
  EXPECT_EQ(red(grid, 4, 3), 10);
  EXPECT_EQ(red(grid, 5, 2), 128);
  EXPECT_EQ(red(grid, 7, 2), 20);
  EXPECT_EQ(red(grid, 2, 6), 30);
  EXPECT_EQ(red(grid, 7, 6), 128);
}

TEST(ImageGrid, OneRowIsAsWideAsItsPictures) { EXPECT_EQ(image_grid({filled(4, 4, 1)}).width, 8); }

TEST(ImageGrid, RefusesUnequalSizesAndNothing) {
  EXPECT_TRUE(testing::throws_error([] { image_grid({}); }, Errc::kInput, {"needs images"}));
  EXPECT_TRUE(testing::throws_error(
      [] {
        image_grid({filled(2, 2, 0), filled(2, 3, 0)});
      },
      Errc::kInput, {"2 x 3", "2 x 2"}));
}

}  // namespace
}  // namespace svdlab
