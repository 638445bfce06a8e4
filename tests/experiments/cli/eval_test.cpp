// svdlab eval: run in this process, what it prints captured.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/npz.h"
#include "core/io/png.h"
#include "core/io/yaml.h"
#include "eval/psnr.h"
#include "experiments/cli/command.h"
#include "experiments/cli/eval_commands.h"
#include "tests/eval/pattern.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

struct Said {
  int code;
  std::string out, err;
};

class Eval : public ::testing::Test {
 protected:
  void SetUp() override {
    make_directories(ref_), make_directories(gen_);
    for (int i = 0; i < 6; ++i) {
      const auto [a, b] = pattern(32, 32, 5 + 9 * i);
      write_png(concat(ref_, "/item-", i, ".png"), a), write_png(concat(gen_, "/item-", i, ".png"), b);
    }
    write_png(ref_ + "/grid.png", pattern(8, 8, 1).first);
  }

  Said run(std::vector<std::string> more) const {
    more.insert(more.begin(), {"eval", "--ref", ref_, "--gen", gen_, "--threads", "1"});
    ::testing::internal::CaptureStdout(), ::testing::internal::CaptureStderr();
    const int code = run_program(more);
    const std::string out = ::testing::internal::GetCapturedStdout();
    return {code, out, ::testing::internal::GetCapturedStderr()};
  }

  testing::TempDir dir_;
  std::string ref_ = dir_.file("it's ref"), gen_ = dir_.file("gen");
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(Eval, TableHasValueIntervalNAndImplementation) {
  const Said said = run({});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_HAS(said.out, "6 pairs of ");
  EXPECT_HAS(said.out, "95 % interval");
  EXPECT_HAS(said.out, "scikit-image default, uniform 7 x 7");
  EXPECT_HAS(said.out, "ms_ssim: not measured; item-0.png is 32 x 32");
  EXPECT_EQ(said.out.find("lpips"), std::string::npos);
}

TEST_F(Eval, JsonIsOneDocumentWithFullPrecision) {
  write_file(gen_ + "/alone.png", "");
  const Said said = run({"--json", "--allow-missing"});
  ASSERT_EQ(said.code, 0) << said.err;
  const Value document = parse_yaml(said.out, "stdout");
  EXPECT_EQ(document.find("n")->as_integer("n"), 6);
  EXPECT_EQ(document.find("left_out")->items.at(0).as_text("left_out"), "alone.png");
  const Value& first = document.find("metrics")->items.at(0);
  EXPECT_EQ(first.find("metric")->as_text("metric"), "psnr_mean");
  std::vector<Image> a, b;
  for (int i = 0; i < 6; ++i) {
    const auto [x, y] = pattern(32, 32, 5 + 9 * i);
    a.push_back(x), b.push_back(y);
  }
  EXPECT_EQ(first.find("value")->as_number("value"), psnr_mean(a, b));
  EXPECT_LT(first.find("lo")->as_number("lo"), first.find("hi")->as_number("hi"));
}

TEST_F(Eval, EqualFoldersAreInfinitelyGoodAndTheJsonStaysValid) {
  std::filesystem::remove_all(gen_);
  std::filesystem::copy(ref_, gen_);
  const Said said = run({"--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_HAS(said.out, "\"value\":\"inf\"");
  EXPECT_HAS(said.out, "\"lo\":null");
  EXPECT_HAS(run({}).out, "inf");
}

TEST_F(Eval, NetworksOfTheUser) {
  const std::string weights = SVDLAB_SOURCE_DIR "/../shared/data/weights/";
  for (const char* name : {"resnet20-12fca82f.safetensors", "lpips_squeeze.safetensors"})
    if (!std::filesystem::exists(weights + name)) GTEST_SKIP() << name << " is absent";
  const Said said = run({"--features", weights + "resnet20-12fca82f.safetensors", "--lpips",
                         weights + "lpips_squeeze.safetensors", "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  for (const char* part : {"frechet", "kid", "precision", "recall", "class_agreement", "lpips 0.1 squeeze",
                           "resnet20-cifar10 64-d", "sha256", "6 pictures are few for 64 features"})
    EXPECT_HAS(said.out, part);
}

TEST_F(Eval, SmallPicturesHaveAFrechetDistanceOutOfTheBox) {
  const Said said = run({"--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  for (const char* part : {"\"frechet\"", "svdlab-cifar-resnet8 1 64-d", "class_agreement", "sha256",
                           "\"program\":\"svdlab ", "\"compared_with\":"})
    EXPECT_HAS(said.out, part);
  EXPECT_EQ(run({"--features", "none"}).out.find("frechet"), std::string::npos);
}

TEST_F(Eval, StatisticsOfAFolderAreWrittenAndComparedWith) {
  const std::string stats = dir_.file("gen.npz");
  ASSERT_EQ(run({"--save-stats", stats}).code, 0);
  const auto against = [&](const std::string& ref, const std::string& gen) {
    ::testing::internal::CaptureStdout(), ::testing::internal::CaptureStderr();
    const int code = run_program({"eval", "--ref", ref, "--gen", gen, "--unpaired", "--json"});
    const std::string out = ::testing::internal::GetCapturedStdout();
    return Said{code, out, ::testing::internal::GetCapturedStderr()};
  };
  const Said same = against(stats, gen_);
  ASSERT_EQ(same.code, 0) << same.err;
  const Value document = parse_yaml(same.out, "stdout");
  const Value& frechet = document.find("metrics")->items.at(0);
  EXPECT_EQ(frechet.find("metric")->as_text("metric"), "frechet");
  EXPECT_LE(frechet.find("value")->as_number("value"), 1e-6);
  EXPECT_EQ(frechet.find("compared_with")->as_text("compared_with"), stats);
  const std::string other = SVDLAB_SOURCE_DIR "/tests/golden/statistics/stored.npz";
  const Said shapes = against(other, gen_);
  EXPECT_EQ(shapes.code, 3);
  EXPECT_HAS(shapes.err, "stored.npz has 8 features");
  EXPECT_HAS(shapes.err, "has 64");
  EXPECT_EQ(against(other, other).code, 0);
}

TEST_F(Eval, EmbeddingsAloneOrBesideFolders) {
  const std::string file = dir_.file("clip.npz");
  save_npz(file, {{"image", at::ones({4, 3})}, {"text", at::ones({4, 3})}});
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run_program({"eval", "--clip", file}), 0);
  const std::string alone = ::testing::internal::GetCapturedStdout();
  EXPECT_HAS(alone, "clip_score");
  EXPECT_HAS(alone, "4 items of ");
  EXPECT_HAS(run({"--clip", file}).out, "clip_score");
  save_npz(file, {{"image", at::ones({4, 3})}});
  EXPECT_HAS(run({"--clip", file}).err, "no array text");
}

TEST_F(Eval, RefusalsAreOneLineWithTheRightCode) {
  write_file(gen_ + "/alone.png", "");
  struct Misuse {
    std::vector<std::string> more;
    int code;
    const char* part;
  };
  for (const Misuse& m :
       std::vector<Misuse>{{{}, 3, "1 of its files is not in"},
                           {{"--json", "--emit-commands"}, 2, "exclude each other"},
                           {{"word"}, 2, "unexpected word"},
                           {{"--lpip", "x"}, 2, "nearest: --lpips"},
                           {{"--allow-missing", "--features-input", "3"}, 2, "unit or bytes"},
                           {{"--unpaired", "--latents"}, 2, "--latents compares pairs"},
                           {{"--unpaired", "--features", "none"}, 2, "--features names the network"},
                           {{"--allow-missing", "--features", "/nowhere.st"}, 3, "/nowhere.st"}}) {
    const Said said = run(m.more);
    EXPECT_EQ(said.code, m.code) << said.err;
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
    EXPECT_HAS(said.err, m.part);
    EXPECT_EQ(said.out, "");
  }
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_program({"eval", "--ref", ref_}), 2);
  EXPECT_HAS(::testing::internal::GetCapturedStderr(), "--gen names a folder");
}

TEST_F(Eval, HelpHasAnExample) { EXPECT_HAS(run({"-h"}).out, "Example:\n  svdlab eval "); }

TEST_F(Eval, CommandsAreForTheseFoldersAndBashReadsThem) {
  const Said staged = run({"--emit-commands"});
  ASSERT_EQ(staged.code, 0) << staged.err;
  EXPECT_HAS(staged.out, "it'\\''s ref");
  EXPECT_HAS(staged.out, "pytorch-fid \"$stage/ref\" \"$stage/gen\"");
  write_file(dir_.file("staged.sh"), staged.out);
  EXPECT_EQ(std::system(("bash -n '" + dir_.file("staged.sh") + "'").c_str()), 0);
  // The staging part runs without any of the programs: six links to pictures on either side.
  const std::string part = staged.out.substr(0, staged.out.find("\n\n"));
  write_file(dir_.file("part.sh"),
             part +
                 "\ncat \"$stage\"/ref/*.png \"$stage\"/gen/*.png > /dev/null &&\n"
                 "[ $(ls \"$stage/ref\" | wc -l) = 6 ] && [ $(ls \"$stage/gen\" | wc -l) = 6 ]\n"
                 "code=$?; rm -r \"$stage\"; exit $code\n");
  EXPECT_EQ(std::system(("bash '" + dir_.file("part.sh") + "'").c_str()), 0);
  std::filesystem::remove(ref_ + "/grid.png");
  EXPECT_HAS(staged.out, "compute_image_similarity_metrics");
  EXPECT_EQ(staged.out.find("max_dataset_size"), std::string::npos);
  const std::string plain = run({"--emit-commands"}).out;
  EXPECT_EQ(plain.find("stage"), std::string::npos);
  EXPECT_HAS(plain, "--kid-subset-size 6");
  write_file(dir_.file("plain.sh"), plain);
  EXPECT_EQ(std::system(("bash -n '" + dir_.file("plain.sh") + "'").c_str()), 0);
}

TEST(EvalCommands, DeepCompressorsOwnEvaluationForItsLayout) {
  const testing::TempDir dir;
  const std::string a = dir.file("a"), b = dir.file("b"), below = "/samples/MJHQ/MJHQ-2";
  PicturePairs pairs{a + below, b + below + "/", {"x.png", "y.png"}};
  EXPECT_HAS(other_programs(pairs), "'" + a + "' '" + b + "' MJHQ '2'");
  pairs.candidate = b + "/samples/MJHQ/MJHQ-3";
  EXPECT_EQ(other_programs(pairs).find("max_dataset_size"), std::string::npos);
}

}  // namespace
}  // namespace svdlab
