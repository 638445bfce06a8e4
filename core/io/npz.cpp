#include "core/io/npz.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors_dtype.h"

namespace svdlab {
namespace {

const std::string kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;

struct Type {
  const char* descr;
  at::ScalarType type;
};
constexpr Type kTypes[] = {{"<f4", at::kFloat}, {"<f8", at::kDouble}, {"<i8", at::kLong}};

struct NpyHeader {
  std::string descr, fortran_order;
  std::vector<int64_t> shape;
};

// {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
class HeaderReader {
 public:
  HeaderReader(std::string text, const std::string& where) : text_(std::move(text)), where_(where) {}

  NpyHeader read() {
    NpyHeader out;
    std::map<std::string, int> seen;
    expect('{');
    while (!taken('}')) {
      const std::string key = quoted();
      if (++seen[key] > 1) refuse();
      expect(':');
      read_value(key, out);
      if (!taken(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size() || seen.size() != 3) refuse();
    return out;
  }

 private:
  void read_value(const std::string& key, NpyHeader& out) {
    if (key == "descr")
      out.descr = quoted();
    else if (key == "fortran_order")
      out.fortran_order = word();
    else if (key == "shape")
      out.shape = tuple();
    else
      refuse();
  }
  [[noreturn]] void refuse() const {
    throw Error(Errc::kInput, concat(where_, ": not an array header of numpy: ", printable(text_)));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool taken(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!taken(c)) refuse();
  }
  std::string quoted() {
    const char quote = taken('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const size_t end = text_.find(quote, at_);
    if (end == std::string::npos) refuse();
    const std::string out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }
  std::string word() {
    skip_blanks();
    const size_t start = at_;
    while (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_]))) ++at_;
    return text_.substr(start, at_ - start);
  }
  int64_t integer() {
    skip_blanks();
    int64_t value = 0;
    const size_t start = at_;
    for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_) {
      if (at_ - start >= 18) refuse();
      value = 10 * value + (text_[at_] - '0');
    }
    if (at_ == start) refuse();
    return value;
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> out;
    expect('(');
    while (!taken(')')) {
      out.push_back(integer());
      if (taken(',')) continue;
      expect(')');
      break;
    }
    return out;
  }

  std::string text_;
  const std::string& where_;
  size_t at_ = 0;
};

at::ScalarType type_of(const NpyHeader& header, const std::string& where) {
  SVDLAB_REQUIRE(header.fortran_order == "False", Errc::kInput, where, ": fortran_order is ",
                 printable(header.fortran_order), "; save it in C order (numpy.ascontiguousarray)");
  for (const Type& t : kTypes)
    if (header.descr == t.descr) return t.type;
  throw Error(Errc::kInput, concat(where, ": type ", printable(header.descr),
                                   "; known: <f4 (float32), <f8 (float64), <i8 (int64)"));
}

}  // namespace

Tensor parse_npy(const std::string& bytes, const std::string& where) {
  const bool known = bytes.size() >= 12 && bytes.compare(0, kMagic.size(), kMagic) == 0;
  SVDLAB_REQUIRE(known, Errc::kInput, where, ": not an array of numpy (.npy) of ", bytes.size(), " bytes");
  const int major = static_cast<uint8_t>(bytes[6]), minor = static_cast<uint8_t>(bytes[7]);
  SVDLAB_REQUIRE((major == 1 || major == 2) && minor == 0, Errc::kInput, where, ": .npy version ", major, ".",
                 minor, "; known: 1.0, 2.0");
  const size_t start = major == 1 ? 10 : 12;
  size_t length = 0;
  for (size_t i = 8; i < start; ++i) length |= size_t{static_cast<uint8_t>(bytes[i])} << (8 * (i - 8));
  SVDLAB_REQUIRE(length <= bytes.size() - start, Errc::kInput, where, ": an array header of ", length,
                 " bytes in ", bytes.size());
  const NpyHeader header = HeaderReader(bytes.substr(start, length), where).read();
  const at::ScalarType type = type_of(header, where);
  uint64_t expected = c10::elementSize(type);
  for (const int64_t s : header.shape)
    expected = checked_mul(expected, static_cast<uint64_t>(s), where.c_str());
  const uint64_t stored = bytes.size() - start - length;
  SVDLAB_REQUIRE(expected == stored, Errc::kInput, where, ": shape ", at::IntArrayRef(header.shape), " of ",
                 header.descr, " takes ", expected, " bytes, not ", stored);
  Tensor out = at::empty(header.shape, type);
  if (stored > 0) std::memcpy(out.data_ptr(), bytes.data() + start + length, stored);
  return out;
}

std::string encode_npy(const Tensor& tensor) {
  const Tensor t = tensor.detach().cpu().contiguous();
  const auto known = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const Type& k) { return k.type == t.scalar_type(); });
  SVDLAB_REQUIRE(known != std::end(kTypes), Errc::kInput, "a .npy array of type ", t.scalar_type(),
                 "; it takes float32, float64 or int64");
  std::string header = concat("{'descr': '", known->descr, "', 'fortran_order': False, 'shape': (");
  for (const int64_t s : t.sizes()) header += concat(s, ", ");
  if (t.dim() > 1) header.resize(header.size() - 2);
  if (t.dim() == 1) header.resize(header.size() - 1);
  header += "), }";
  const size_t before = kMagic.size() + 4;
  header.append(kAlignment - 1 - (before + header.size()) % kAlignment, ' ');
  header += '\n';
  SVDLAB_REQUIRE(header.size() <= 0xFFFF, Errc::kInput, "a .npy array of ", t.dim(), " axes");
  std::string out = kMagic + std::string("\x01\x00", 2);
  out += static_cast<char>(header.size() & 0xFF), out += static_cast<char>(header.size() >> 8);
  return (out + header).append(static_cast<const char*>(t.data_ptr()), t.nbytes());
}

NpzFile::NpzFile(const std::string& path) : path_(path), zip_(read_file(path), path) {}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> out;
  for (const std::string& name : zip_.names())
    if (name.size() > 4 && name.compare(name.size() - 4, 4, ".npy") == 0)
      out.push_back(name.substr(0, name.size() - 4));
  return out;
}

Tensor NpzFile::tensor(const std::string& name) const {
  std::string there;
  for (const std::string& n : names()) there += (there.empty() ? "" : ", ") + printable(n);
  SVDLAB_REQUIRE(has(name), Errc::kInput, path_, ": no array ", name, "; it holds ",
                 there.empty() ? "none" : there);
  return parse_npy(zip_.read(name + ".npy"), concat(path_, ": ", name));
}

void save_npz(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& arrays) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [name, tensor] : arrays) entries.emplace_back(name + ".npy", encode_npy(tensor));
  write_file(path, encode_zip(entries));
}

}  // namespace svdlab
