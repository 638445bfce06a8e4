#include "core/io/hdf5.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;
using testing::TempDir;
using testing::throws_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;
using Strings = std::vector<std::string>;

Table sample(const std::string& name = "/layers") {
  return {name,
          {{"layer", "", Strings{"blocks.0.attn.to_q", "", "blocks.1.ff \xc3\xa9"}},
           {"rank", "", Ints{8, -1, INT64_MAX}},
           {"sqnr", "dB", Doubles{19.4, kNan, -kInf}},
           {"empty", "s", Strings{"", "", ""}}}};
}

Table long_table(size_t rows) {
  Table t{"/study/long", {{"i", "", Ints{}}, {"x", "s", Doubles{}}, {"name", "", Strings{}}}};
  for (size_t i = 0; i < rows; ++i) {
    std::get<0>(t.columns[0].values).push_back(static_cast<int64_t>(i));
    std::get<1>(t.columns[1].values).push_back(std::sqrt(static_cast<double>(i)));
    std::get<2>(t.columns[2].values).push_back("item " + std::to_string(i));
  }
  return t;
}

void expect_equal(const Table& a, const Table& b) {
  ASSERT_EQ(a.columns.size(), b.columns.size());
  for (size_t i = 0; i < a.columns.size(); ++i) {
    const Column &x = a.columns[i], &y = b.columns[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.unit, y.unit);
    ASSERT_EQ(x.values.index(), y.values.index());
    ASSERT_EQ(x.rows(), y.rows());
    if (x.values.index() != 1) {
      EXPECT_EQ(x.values, y.values);
      continue;
    }
    for (size_t r = 0; r < x.rows(); ++r) {
      const double p = std::get<Doubles>(x.values)[r], q = std::get<Doubles>(y.values)[r];
      EXPECT_TRUE(p == q || (std::isnan(p) && std::isnan(q))) << x.name << " row " << r;
    }
  }
}

void write_sample(const std::string& path) {
  Hdf5Writer w(path);
  w.attribute("schema", "svdlab/1");
  w.text("/config/json", "{\"rank\": 8}");
  w.table(sample());
  w.table(long_table(20000));
  w.tensor("/spectra/blocks.0", random_tensor({3, 1000, 50}, "spectra"));
  w.close();
}

TEST(Hdf5, TablesRoundTrip) {
  const TempDir dir;
  write_sample(dir.file("a.h5"));
  const Hdf5Reader r(dir.file("a.h5"));
  expect_equal(r.table("/layers"), sample());
  expect_equal(r.table("/study/long"), long_table(20000));
  EXPECT_EQ(r.attribute("schema"), "svdlab/1");
  EXPECT_EQ(r.text("/config/json"), "{\"rank\": 8}");
  expect_identical(r.tensor("/spectra/blocks.0"), random_tensor({3, 1000, 50}, "spectra"));
}

TEST(Hdf5, TablesWithoutRowsKeepTheirColumns) {
  const TempDir dir;
  Hdf5Writer w(dir.file("a.h5"));
  w.table(long_table(0));
  w.close();
  expect_equal(Hdf5Reader(dir.file("a.h5")).table("/study/long"), long_table(0));
}

TEST(Hdf5, TensorsOfEveryTypeAndShape) {
  const TempDir dir;
  const Tensor base = random_tensor({4, 5}, "t") * 100;
  std::vector<Tensor> tensors = {base, base.to(at::kDouble), base.to(at::kLong), base.abs().to(at::kByte)};
  tensors.push_back(base.t());           // not contiguous
  tensors.push_back(at::zeros({}));      // scalar
  tensors.push_back(at::zeros({0, 7}));  // empty
  tensors.push_back(at::full({2}, kNan));
  tensors.push_back(random_tensor({1, 1 << 17}, "wide"));  // several chunks
  Hdf5Writer w(dir.file("a.h5"));
  for (size_t i = 0; i < tensors.size(); ++i) w.tensor("/t/" + std::to_string(i), tensors[i]);
  w.close();
  const Hdf5Reader r(dir.file("a.h5"));
  for (size_t i = 0; i < tensors.size(); ++i) {
    SCOPED_TRACE(i);
    expect_identical(r.tensor("/t/" + std::to_string(i)), tensors[i].contiguous());
  }
}

TEST(Hdf5, GroupsAreMadeAndListed) {
  const TempDir dir;
  Hdf5Writer w(dir.file("a.h5"));
  w.text("/b/c/d", "");
  w.text("/b/a", "x");
  w.text("/z", std::string(100000, 'y'));
  w.close();
  const Hdf5Reader r(dir.file("a.h5"));
  EXPECT_EQ(r.list("/"), (Strings{"b", "z"}));
  EXPECT_EQ(r.list("/b"), (Strings{"a", "c"}));
  EXPECT_TRUE(r.has("/b/c/d"));
  EXPECT_TRUE(r.has("/b"));
  EXPECT_FALSE(r.has("/b/c/e"));
  EXPECT_FALSE(r.has("/q/c/e"));
  EXPECT_EQ(r.text("/b/c/d"), "");
  EXPECT_EQ(r.text("/z").size(), 100000u);
}

TEST(Hdf5, EqualContentGivesEqualBytes) {
  const TempDir dir;
  write_sample(dir.file("a.h5"));
  write_sample(dir.file("b.h5"));
  EXPECT_TRUE(read_file(dir.file("a.h5")) == read_file(dir.file("b.h5")));
}

TEST(Hdf5, NothingIsLeftBehindWithoutClose) {
  const TempDir dir;
  { Hdf5Writer(dir.file("a.h5")).table(sample()); }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Hdf5, AFileCanBeRewrittenWhileItIsRead) {
  const TempDir dir;
  write_sample(dir.file("a.h5"));
  const Hdf5Reader old(dir.file("a.h5"));
  Hdf5Writer w(dir.file("a.h5"));
  w.text("/config/json", "new");
  w.close();
  EXPECT_EQ(Hdf5Reader(dir.file("a.h5")).text("/config/json"), "new");
  EXPECT_EQ(old.text("/config/json"), "{\"rank\": 8}");
}

TEST(Hdf5, H5dumpReadsIt) {
  if (std::system("h5dump --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "h5dump";
  const TempDir dir;
  write_sample(dir.file("a.h5"));
  const std::string command =
      "h5dump -p -d /layers " + dir.file("a.h5") + " > " + dir.file("out.txt") + " 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string out = read_file(dir.file("out.txt"));
  for (const char* part :
       {"H5T_COMPOUND", "H5T_CSET_UTF8", "H5T_STR_NULLPAD", "blocks.0.attn.to_q", "19.4", "FLETCHER32",
        "SHUFFLE", "DEFLATE { LEVEL 4 }", "sqnr=dB;empty=s", "9223372036854775807"})
    EXPECT_NE(out.find(part), std::string::npos) << part << " is not in\n" << out;
}

TEST(Hdf5Refuses, EveryTruncation) {
  const TempDir dir;
  write_sample(dir.file("a.h5"));
  const std::string bytes = read_file(dir.file("a.h5"));
  ASSERT_GT(bytes.size(), 10u * 4096);
  for (size_t n = 0; n < bytes.size(); n += 4096) {
    write_file(dir.file("cut.h5"), bytes.substr(0, n));
    EXPECT_TRUE(throws_error([&] { Hdf5Reader(dir.file("cut.h5")); }, Errc::kInput, {"cut.h5"})) << n;
  }
}

TEST(Hdf5Refuses, DamagedData) {
  const TempDir dir;
  Hdf5Writer w(dir.file("a.h5"));
  w.tensor("/t", random_tensor({100, 100}, "t"));
  w.close();
  std::string bytes = read_file(dir.file("a.h5"));
  bytes[bytes.size() - 5000] ^= 1;  // inside the compressed chunk, which is the last thing in the file
  write_file(dir.file("a.h5"), bytes);
  EXPECT_TRUE(throws_error([&] { Hdf5Reader(dir.file("a.h5")).tensor("/t"); }, Errc::kInput, {"a.h5", "/t"}));
}

TEST(Hdf5Refuses, FilesThatAreNoHdf5) {
  const TempDir dir;
  write_file(dir.file("t.h5"), "this is text, not a results file\n");
  EXPECT_TRUE(throws_error([&] { Hdf5Reader(dir.file("t.h5")); }, Errc::kInput,
                           {"t.h5", "not a readable HDF5 file"}));
  EXPECT_TRUE(throws_error([&] { Hdf5Reader(dir.file("none.h5")); }, Errc::kInput, {"none.h5"}));
}

TEST(Hdf5Refuses, ObjectsOfTheWrongKind) {
  const TempDir dir;
  write_sample(dir.file("a.h5"));
  const Hdf5Reader r(dir.file("a.h5"));
  const auto refused = [](const auto& body, const Strings& parts) {
    return throws_error(body, Errc::kInput, parts);
  };
  EXPECT_TRUE(refused([&] { r.table("/nothing"); }, {"a.h5: /nothing: no such object"}));
  EXPECT_TRUE(refused([&] { r.table("/study"); }, {"/study: not a data set"}));
  EXPECT_TRUE(refused([&] { r.table("/spectra/blocks.0"); }, {"not a table"}));
  EXPECT_TRUE(refused([&] { r.table("/config/json"); }, {"not a table"}));
  EXPECT_TRUE(refused([&] { r.tensor("/layers"); }, {"/layers: elements are neither"}));
  EXPECT_TRUE(refused([&] { r.text("/layers"); }, {"not a single text"}));
  EXPECT_TRUE(refused([&] { r.text("/spectra/blocks.0"); }, {"not a single text"}));
  EXPECT_TRUE(refused([&] { r.attribute("nothing"); }, {"attribute nothing: missing"}));
  EXPECT_TRUE(refused([&] { r.list("/nothing"); }, {"no such group"}));
  EXPECT_TRUE(refused([&] { r.list("/layers"); }, {"/layers"}));
  EXPECT_TRUE(
      refused([&] { r.table("/layers").column("sqrn"); }, {"no column \"sqrn\"", "nearest: \"sqnr\""}));
}

// A table with one uint64 column and 2^60 rows, none of them written.
void write_foreign(const std::string& path, hid_t cell, hsize_t rows) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t row = H5Tcreate(H5T_COMPOUND, H5Tget_size(cell));
  H5Tinsert(row, "n", 0, cell);
  const hid_t space = H5Screate_simple(1, &rows, nullptr), options = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk = 1;
  H5Pset_chunk(options, 1, &chunk);
  const hid_t set = H5Dcreate2(file, "/t", row, space, H5P_DEFAULT, options, H5P_DEFAULT);
  ASSERT_GE(set, 0);
  H5Dclose(set), H5Pclose(options), H5Sclose(space), H5Tclose(row), H5Fclose(file);
}

TEST(Hdf5Refuses, ForeignTablesItCannotHold) {
  const TempDir dir;
  write_foreign(dir.file("u.h5"), H5T_NATIVE_UINT64, 2);
  EXPECT_TRUE(
      throws_error([&] { Hdf5Reader(dir.file("u.h5")).table("/t"); }, Errc::kInput, {"column n is neither"}));
  write_foreign(dir.file("h.h5"), H5T_NATIVE_INT64, hsize_t{1} << 50);
  EXPECT_TRUE(throws_error([&] { Hdf5Reader(dir.file("h.h5")).table("/t"); }, Errc::kInput,
                           {"bytes of data in a file"}));
  write_foreign(dir.file("o.h5"), H5T_NATIVE_INT64, hsize_t{1} << 62);
  EXPECT_TRUE(throws_error([&] { Hdf5Reader(dir.file("o.h5")).table("/t"); }, Errc::kInput, {"overflows"}));
  write_foreign(dir.file("f.h5"), H5T_NATIVE_INT32, 2);  // narrower integers are read
  EXPECT_EQ(Hdf5Reader(dir.file("f.h5")).table("/t").rows(), 2u);
}

TEST(Hdf5Refuses, ContentThatCannotBeStored) {
  const TempDir dir;
  Hdf5Writer w(dir.file("a.h5"));
  w.table(sample());
  const auto refused = [](const auto& body, const Strings& parts) {
    return throws_error(body, Errc::kInput, parts);
  };
  EXPECT_TRUE(refused([&] { w.table(sample()); }, {"/layers is written twice"}));
  EXPECT_TRUE(refused([&] { w.text("relative", ""); }, {"\"relative\" is no object path"}));
  EXPECT_TRUE(refused([&] { w.text("/zero", std::string(1, '\0')); }, {"zero byte"}));
  EXPECT_TRUE(refused([&] { w.table({"/none", {}}); }, {"no column"}));
  EXPECT_TRUE(refused(
      [&] {
        w.table({"/x", {{"a", "", Ints{1}}, {"b", "", Ints{}}}});
      },
      {"column b has 0 rows"}));
  EXPECT_TRUE(refused([&] { w.table({"/x", {{"a", "", Ints{1}}, {"a", "", Ints{1}}}}); }, {"\"a\""}));
  EXPECT_TRUE(refused([&] { w.table({"/x", {{"a=b", "", Ints{1}}}}); }, {"a=b"}));
  EXPECT_TRUE(refused([&] { w.tensor("/h", at::zeros({2}, at::kHalf)); }, {"/h", "Half", "convert"}));
  EXPECT_TRUE(throws_error(
      [] {
        Hdf5Writer v("/no/such/folder/a.h5");
        v.close();
      },
      Errc::kResource, {"/no/such/folder"}));
}

}  // namespace
}  // namespace svdlab
