#include "core/io/npz.h"

#include <gtest/gtest.h>

#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

const std::string kGolden = SVDLAB_SOURCE_DIR "/tests/golden/statistics/";

std::string npy(const std::string& header, const std::string& data, char major = 1) {
  std::string out = std::string("\x93NUMPY") + major + '\0';
  out += static_cast<char>(header.size());
  out += std::string(major == 1 ? 1 : 3, '\0');
  return out + header + data;
}

TEST(Npz, ReadsWhatNumpyWrites) {
  const NpzFile stored(kGolden + "stored.npz"), packed(kGolden + "compressed.npz");
  EXPECT_EQ(stored.names(), (std::vector<std::string>{"mu", "sigma"}));
  EXPECT_EQ(stored.tensor("sigma").sizes(), at::IntArrayRef({8, 8}));
  EXPECT_EQ(stored.tensor("mu").scalar_type(), at::kDouble);
  EXPECT_EQ(packed.names(), (std::vector<std::string>{"label", "mu", "sigma"}));
  testing::expect_identical(packed.tensor("sigma"), stored.tensor("sigma").to(at::kFloat));
}

TEST(Npz, WhatIsWrittenIsRead) {
  const TempDir dir;
  const Tensor a = testing::random_tensor({3, 1, 5}, "a"),
               b = testing::random_tensor({7}, "b").to(at::kDouble);
  const Tensor scalar = at::tensor(int64_t{41}, at::kLong).squeeze(), empty = at::empty({0, 4});
  save_npz(dir.file("x.npz"), {{"a", a}, {"b", b}, {"n", scalar}, {"none", empty}, {"turned", a[0].t()}});
  const NpzFile file(dir.file("x.npz"));
  testing::expect_identical(file.tensor("a"), a);
  testing::expect_identical(file.tensor("b"), b);
  testing::expect_identical(file.tensor("n"), scalar);
  testing::expect_identical(file.tensor("none"), empty);
  testing::expect_identical(file.tensor("turned"), a[0].t().contiguous());
  save_npz(dir.file("y.npz"), {{"a", a}, {"b", b}, {"n", scalar}, {"none", empty}, {"turned", a[0].t()}});
  EXPECT_EQ(read_file(dir.file("x.npz")), read_file(dir.file("y.npz")));
}

TEST(Npz, RefusesByName) {
  EXPECT_TRUE(throws_error([] { NpzFile(kGolden + "fortran.npz").tensor("sigma"); }, Errc::kInput,
                           {"fortran.npz: sigma", "fortran_order", "C order"}));
  EXPECT_TRUE(throws_error([] { NpzFile(kGolden + "half.npz").tensor("mu"); }, Errc::kInput,
                           {"half.npz: mu", "<f2", "<f8 (float64)"}));
  EXPECT_TRUE(throws_error([] { NpzFile(kGolden + "compressed.npz").tensor("label"); }, Errc::kInput,
                           {"label", "<U13"}));
  EXPECT_TRUE(throws_error([] { NpzFile(kGolden + "stored.npz").tensor("n"); }, Errc::kInput,
                           {"no array n", "\"mu\", \"sigma\""}));
  EXPECT_TRUE(throws_error(
      [] {
        save_npz("unused", {{"a", at::ones({2}, at::kHalf)}});
      },
      Errc::kInput, {"Half", "float32"}));
}

TEST(Npy, HeadersThatAreNotNumpys) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", data(8, '\0');
  EXPECT_EQ(parse_npy(npy(good, data), "x").numel(), 2);
  EXPECT_EQ(parse_npy(npy(good, data, 2), "x").numel(), 2);
  for (const char* header : {"", "{}", "{'descr': '<f4', 'fortran_order': False}",
                             "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (2 2), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x",
                             "{'descr': '<f4, 'fortran_order': False, 'shape': (2,)",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }"})
    EXPECT_TRUE(throws_error([&] { parse_npy(npy(header, data), "x"); }, Errc::kInput, {"x: "})) << header;
  EXPECT_TRUE(throws_error([&] { parse_npy(npy(good, data + "1"), "x"); }, Errc::kInput, {"8 bytes, not 9"}));
  EXPECT_TRUE(throws_error([&] { parse_npy(npy(good, data, 3), "x"); }, Errc::kInput, {"version 3.0"}));
  EXPECT_TRUE(throws_error(
      [&] {
        parse_npy(
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 99999999999), }", data),
            "x");
      },
      Errc::kInput, {"overflows"}));
}

TEST(Npz, EveryCutIsRefused) {
  const std::string whole = read_file(kGolden + "compressed.npz");
  for (size_t bytes = 0; bytes < whole.size(); bytes += 3)
    EXPECT_TRUE(throws_error([&] { ZipFile(whole.substr(0, bytes), "cut"); }, Errc::kInput, {"cut: "}))
        << bytes;
}

TEST(Zip, OneChangedByteNeverGivesOtherContent) {
  const std::string whole = encode_zip({{"a", "first content"}, {"b", std::string(50, 'x')}});
  const ZipFile reference(whole, "zip");
  EXPECT_EQ(reference.read("a"), "first content");
  int refused = 0;
  for (size_t at = 0; at < whole.size(); ++at)
    for (const int bit : {0, 7}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      try {
        const ZipFile file(changed, "zip");
        for (const std::string& name : file.names()) {
          const std::string content = file.read(name);
          EXPECT_TRUE(content == "first content" || content == std::string(50, 'x')) << at;
        }
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Errc::kInput);
        ++refused;
      }
    }
  EXPECT_GT(refused, 150) << "dates and versions are free, content and directory are not";
}

TEST(Zip, RefusesTwins) {
  EXPECT_TRUE(throws_error([] { encode_zip({{"a", ""}, {"a", ""}}); }, Errc::kInput, {"a given twice"}));
}

}  // namespace
}  // namespace svdlab
