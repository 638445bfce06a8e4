#include "eval/folder_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/io/files.h"
#include "eval/frechet.h"
#include "eval/frechet_interval.h"
#include "eval/picture_check.h"
#include "eval/picture_pairs.h"
#include "eval/psnr.h"
#include "eval/ssim_sk.h"
#include "tests/eval/pattern.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::TempDir;
using testing::throws_error;

// Features of a picture: its first bytes. The class is the parity of the first one.
class FirstBytes : public FeatureNetwork {
 public:
  std::string name() const override { return "first bytes"; }
  bool takes(int, int) const override { return true; }
  PictureFeatures features(const Image& p) const override {
    return {picture_tensor(p).flatten().slice(0, 0, 3), p.rgb[0] % 2};
  }
};

class Folders : public ::testing::Test {
 protected:
  void SetUp() override { make_directories(a_), make_directories(b_); }
  void add(const std::string& name, int width, int height, int amplitude) {
    const auto [a, b] = pattern(width, height, amplitude);
    write_png(a_ + "/" + name, a), write_png(b_ + "/" + name, b);
  }
  static const Measured* find(const Measurements& m, const std::string& name) {
    const auto at =
        std::find_if(m.values.begin(), m.values.end(), [&](const Measured& v) { return v.metric == name; });
    return at == m.values.end() ? nullptr : &*at;
  }

  TempDir dir_;
  std::string a_ = dir_.file("a"), b_ = dir_.file("b");
};

TEST_F(Folders, PicturesPairByName) {
  add("y.png", 8, 8, 3), add("x.png", 8, 8, 3);
  PicturePairs pairs = pair_pictures(a_, b_);
  EXPECT_EQ(pairs.names, (std::vector<std::string>{"x.png", "y.png"}));
  EXPECT_FALSE(pairs.more_in_folders);
  write_file(a_ + "/x.safetensors", "");
  EXPECT_FALSE(pair_pictures(a_, b_).more_in_folders);
  write_file(a_ + "/grid.png", "");
  EXPECT_TRUE(pair_pictures(a_, b_).more_in_folders);
  EXPECT_EQ(pair_pictures(a_, b_).names.size(), 2u);
}

TEST_F(Folders, AMissingPartnerIsRefusedByNameOrLeftOut) {
  add("x.png", 8, 8, 3);
  for (const char* name : {"p", "q", "r", "s"}) write_file(b_ + "/" + name + ".png", "");
  EXPECT_TRUE(throws_error([&] { pair_pictures(a_, b_); }, Errc::kInput,
                           {"4 of its files", "p.png, q.png, r.png ...", "--allow-missing"}));
  write_file(a_ + "/z.png", "");
  EXPECT_TRUE(throws_error([&] { pair_pictures(a_, b_); }, Errc::kInput, {"1 of its", "z.png"}));
  const PicturePairs pairs = pair_pictures(a_, b_, true);
  EXPECT_EQ(pairs.names, (std::vector<std::string>{"x.png"}));
  EXPECT_EQ(pairs.left_out.size(), 5u);
  EXPECT_TRUE(pairs.more_in_folders);
}

TEST_F(Folders, PairsThatCannotBeMeasuredAreRefused) {
  EXPECT_TRUE(
      throws_error([&] { pair_pictures(a_, dir_.file("c")); }, Errc::kInput, {"/c: is not a folder"}));
  EXPECT_TRUE(throws_error([&] { pair_pictures(a_, b_); }, Errc::kInput, {"no name in common"}));
  add("x.png", 8, 8, 3);
  write_png(b_ + "/x.png", pattern(9, 8, 3).second);
  EXPECT_TRUE(throws_error([&] { measure_folders(pair_pictures(a_, b_), {}); }, Errc::kInput,
                           {"x.png", "8 x 8", "9 x 8"}));
  write_file(b_ + "/x.png", "no picture");
  EXPECT_TRUE(throws_error([&] { measure_folders(pair_pictures(a_, b_), {}); }, Errc::kInput, {"/x.png"}));
}

TEST_F(Folders, ValuesAreTheMetricsOwn) {
  add("x.png", 32, 32, 10), add("y.png", 32, 32, 60);
  const Measurements m = measure_folders(pair_pictures(a_, b_), {});
  const auto x = pattern(32, 32, 10), y = pattern(32, 32, 60);
  ASSERT_EQ(m.values.size(), 4u);
  const Interval& mean = find(m, "psnr_mean")->interval;
  EXPECT_EQ(mean.value, psnr_mean({x.first, y.first}, {x.second, y.second}));
  EXPECT_EQ(mean.n, 2);
  EXPECT_LT(mean.lo, mean.hi);
  const Interval& pooled = find(m, "psnr_pooled")->interval;
  EXPECT_NEAR(pooled.value, psnr_pooled({x.first, y.first}, {x.second, y.second}), 1e-12);
  EXPECT_TRUE(pooled.lo <= pooled.value && pooled.value <= pooled.hi);
  EXPECT_EQ(find(m, "ssim_sk")->interval.value,
            (ssim_sk(x.first, x.second) + ssim_sk(y.first, y.second)) / 2);
  ASSERT_EQ(m.notes.size(), 1u);
  EXPECT_NE(m.notes[0].find("ms_ssim: not measured; x.png is 32 x 32"), std::string::npos) << m.notes[0];
}

TEST_F(Folders, LargePicturesHaveMsSsimAndMixedSizesNoPooledInterval) {
  add("x.png", 176, 180, 10);
  EXPECT_NE(find(measure_folders(pair_pictures(a_, b_), {}), "ms_ssim"), nullptr);
  add("y.png", 32, 32, 10);
  const Measurements m = measure_folders(pair_pictures(a_, b_), {});
  EXPECT_EQ(find(m, "ms_ssim"), nullptr);
  EXPECT_TRUE(std::isnan(find(m, "psnr_pooled")->interval.lo));
}

TEST_F(Folders, NetworksAddSetMetricsWhateverTheThreads) {
  for (int i = 0; i < 11; ++i) add(concat("p", i, ".png"), 8 + i, 8, 3 + 7 * i);
  const FirstBytes network;
  const PicturePairs pairs = pair_pictures(a_, b_);
  const Measurements one = measure_folders(pairs, {.network = &network});
  const Measurements two = measure_folders(pairs, {.network = &network, .threads = 3});
  ASSERT_EQ(one.values.size(), two.values.size());
  for (size_t i = 0; i < one.values.size(); ++i)
    EXPECT_EQ(one.values[i].interval.value, two.values[i].interval.value) << one.values[i].metric;
  for (const char* name : {"frechet", "kid", "precision", "recall", "class_agreement"})
    ASSERT_NE(find(one, name), nullptr) << name;
  EXPECT_EQ(find(one, "class_agreement")->implementation, "first bytes");
  EXPECT_NE(one.notes.at(1).find("11 pictures are few for 3 features"), std::string::npos) << one.notes.at(1);
  const Measurements few = measure_folders({a_, b_, {"p0.png", "p1.png", "p2.png"}}, {.network = &network});
  EXPECT_EQ(find(few, "kid"), nullptr);
  EXPECT_NE(few.notes.back().find("3 pictures, they take"), std::string::npos);
}

// The file's depth and colour type changed; its pixels stay as they are.
void relabel(const std::string& path, char depth, char colour) {
  std::string bytes = read_file(path);
  bytes[24] = depth, bytes[25] = colour;
  write_file(path, bytes);
}

TEST_F(Folders, KindsOfPicturesAreNotedOrRefusedWithCounts) {
  for (const char* name : {"p.png", "q.png", "r.png"}) add(name, 8, 8, 3);
  const std::vector<std::string> names = {"p.png", "q.png", "r.png"};
  EXPECT_TRUE(check_pictures(a_, names).empty());
  relabel(a_ + "/p.png", 8, 6), relabel(a_ + "/q.png", 8, 6), relabel(a_ + "/r.png", 8, 3);
  const std::vector<std::string> notes = check_pictures(a_, names);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_NE(notes[0].find("1 of 3 pictures with a palette, read as RGB: r.png"), std::string::npos)
      << notes[0];
  EXPECT_NE(notes[1].find("2 of 3 pictures with transparency, which is dropped: p.png, q.png"),
            std::string::npos)
      << notes[1];
  relabel(a_ + "/q.png", 16, 2);
  EXPECT_TRUE(throws_error([&] { measure_folders(pair_pictures(a_, b_), {}); }, Errc::kInput,
                           {"1 of 3 pictures has 16 bits", "q.png"}));
}

TEST_F(Folders, EmptyFoldersAreRefused) {
  EXPECT_TRUE(throws_error([&] { pictures_of(a_); }, Errc::kInput, {"/a: no picture"}));
  EXPECT_TRUE(throws_error([&] { pair_pictures(a_, b_); }, Errc::kInput, {"(0 files .png)"}));
}

TEST(FrechetInterval, SurroundsTheValueAndNarrowsWithN) {
  const auto width = [](int64_t n) {
    const Tensor a = random_tensor({n, 4}, "a"), b = random_tensor({n, 4}, "b") + 0.7;
    const Interval i = frechet_interval(a, b, "f");
    EXPECT_EQ(i.value, frechet_distance(feature_stats(a), feature_stats(b)));
    EXPECT_TRUE(i.lo < i.value && i.value < i.hi) << i.lo << " " << i.value << " " << i.hi;
    EXPECT_EQ(i.n, n);
    return i.hi - i.lo;
  };
  const double few = width(50), many = width(800);
  EXPECT_LT(many, few / 2);
  EXPECT_GT(many, few / 8);
}

TEST(FrechetInterval, Refusals) {
  const Tensor x = random_tensor({5, 3}, "x");
  EXPECT_TRUE(throws_error([&] { frechet_interval(x, x.slice(0, 0, 4), "f"); }, Errc::kInput, {"5 and 4"}));
  Tensor bad = x.clone();
  bad[1][1] = std::nan("");
  EXPECT_TRUE(std::isnan(frechet_interval(x, bad, "f").value));
}

}  // namespace
}  // namespace svdlab
