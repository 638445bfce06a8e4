#include "core/io/safetensors_parse.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/io/safetensors_dtype.h"

namespace svdlab {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the reference implementation
constexpr size_t kMaxRank = 64;               // torch iterates over no more

struct Declared {
  std::optional<StDtype> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;
};

// Reads {name: {"dtype": text, "shape": [n...], "data_offsets": [begin, end]}, "__metadata__": {text: text}}
// and refuses everything else at the token where it departs from that, so no depth or size beyond the
// header's own is ever built.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& where) : where_(where) {}

  std::map<std::string, Declared> tensors;
  std::map<std::string, std::string> metadata;

  bool null() override { refuse("null"); }
  bool boolean(bool value) override { refuse(value ? "true" : "false"); }
  bool number_float(number_float_t, const string_t& text) override { refuse(text); }
  bool binary(binary_t&) override { refuse("binary"); }
  // Callbacks for integers: only a negative one arrives here.
  bool number_integer(number_integer_t value) override { refuse(std::to_string(value)); }

  bool number_unsigned(number_unsigned_t value) override {
    if (level_ != Level::kArray) refuse(std::to_string(value));
    if (field_ == "data_offsets") {
      if (tensor_->offsets->size() == 2) refuse("a third number");
      tensor_->offsets->push_back(value);
      return true;
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) refuse(std::to_string(value));
    if (tensor_->shape->size() == kMaxRank) refuse("more than 64 dimensions");
    tensor_->shape->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(string_t& text) override {
    if (level_ == Level::kMetadata) {
      metadata[field_] = text;
      return true;
    }
    if (level_ != Level::kTensor || field_ != "dtype") refuse(printable(text));
    tensor_->dtype = dtype_named(text);
    if (!tensor_->dtype) throw Error(Errc::kInput, concat(place(), ": unknown dtype ", printable(text)));
    return true;
  }

  bool key(string_t& text) override {
    if (level_ == Level::kRoot) {
      name_ = text;
      field_.clear();
      is_metadata_ = text == "__metadata__";
      const bool fresh =
          is_metadata_ ? !std::exchange(metadata_seen_, true) : tensors.try_emplace(text).second;
      SVDLAB_REQUIRE(fresh, Errc::kInput, where_, ": name ", printable(text), " occurs twice");
      return true;
    }
    field_ = text;
    if (level_ == Level::kMetadata) {
      SVDLAB_REQUIRE(!metadata.contains(text), Errc::kInput, where_, ": metadata ", printable(text),
                     " occurs twice");
      return true;
    }
    const bool known = text == "dtype" || text == "shape" || text == "data_offsets";
    SVDLAB_REQUIRE(known, Errc::kInput, place(), ": unknown field; known: dtype, shape, data_offsets");
    const bool seen = text == "dtype"   ? tensor_->dtype.has_value()
                      : text == "shape" ? tensor_->shape.has_value()
                                        : tensor_->offsets.has_value();
    SVDLAB_REQUIRE(!seen, Errc::kInput, place(), " occurs twice");
    return true;
  }

  bool start_object(std::size_t) override {
    if (level_ == Level::kOutside) {
      level_ = Level::kRoot;
    } else if (level_ == Level::kRoot) {
      level_ = is_metadata_ ? Level::kMetadata : Level::kTensor;
      if (!is_metadata_) tensor_ = &tensors.at(name_);
    } else {
      refuse("an object");
    }
    return true;
  }

  bool end_object() override {
    level_ = level_ == Level::kRoot ? Level::kOutside : Level::kRoot;
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::kTensor || field_ == "dtype") refuse("a list");
    if (field_ == "shape") tensor_->shape.emplace();
    if (field_ == "data_offsets") tensor_->offsets.emplace();
    level_ = Level::kArray;
    return true;
  }

  bool end_array() override {
    level_ = Level::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(Errc::kInput, concat(where_, ": header is not valid JSON at byte ", kLengthBytes + position));
  }

 private:
  enum class Level { kOutside, kRoot, kMetadata, kTensor, kArray };

  std::string place() const {
    if (is_metadata_) return concat(where_, ": metadata ", printable(field_));
    return concat(where_, ": tensor ", printable(name_), field_.empty() ? "" : ": " + printable(field_));
  }

  [[noreturn]] void refuse(const std::string& found) const {
    const char* expected = is_metadata_        ? "a map of texts"
                           : field_.empty()    ? "a map with dtype, shape and data_offsets"
                           : field_ == "dtype" ? "a text"
                           : field_ == "shape" ? "a list of at most 64 integers from 0 to 2^63 - 1"
                                               : "a list of two integers from 0 to 2^64 - 1";
    throw Error(Errc::kInput, concat(place(), " must be ", expected, ", not ", found.substr(0, 80)));
  }

  std::string where_, name_, field_;
  Level level_ = Level::kOutside;
  bool is_metadata_ = false, metadata_seen_ = false;
  Declared* tensor_ = nullptr;
};

uint64_t read_header_length(const uint8_t* bytes, uint64_t size, const std::string& where) {
  SVDLAB_REQUIRE(size >= kLengthBytes, Errc::kInput, where, ": ", size,
                 " bytes are too short for a safetensors file, which begins with 8 bytes of header length");
  uint64_t length = 0;
  for (uint64_t i = 0; i < kLengthBytes; ++i) length |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  SVDLAB_REQUIRE(length <= kMaxHeader, Errc::kInput, where, ": header length ", length,
                 " is above the limit of ", kMaxHeader, "; not a safetensors file?");
  SVDLAB_REQUIRE(length <= size - kLengthBytes, Errc::kInput, where, ": header length ", length,
                 " goes past the end of the file of ", size, " bytes; truncated?");
  SVDLAB_REQUIRE(length > 0 && bytes[kLengthBytes] == '{', Errc::kInput, where,
                 ": header does not start with '{'; not a safetensors file?");
  return length;
}

StEntry checked_entry(const std::string& name, const Declared& declared, const std::string& where) {
  const std::string what = concat(where, ": tensor ", printable(name));
  SVDLAB_REQUIRE(declared.dtype && declared.shape && declared.offsets && declared.offsets->size() == 2,
                 Errc::kInput, what, " needs dtype, shape and two data_offsets");
  const uint64_t begin = declared.offsets->at(0), end = declared.offsets->at(1);
  SVDLAB_REQUIRE(begin <= end, Errc::kInput, what, ": data_offsets begin at ", begin, ", after their end ",
                 end);
  const uint64_t bytes = checked_bytes(*declared.dtype, *declared.shape, what);
  SVDLAB_REQUIRE(bytes == end - begin, Errc::kInput, what, ": shape and dtype need ", bytes,
                 " bytes, data_offsets hold ", end - begin);
  return {*declared.dtype, *declared.shape, nullptr, bytes};
}

// Offsets must cover the data section once each: from 0, without hole or overlap, to its end.
void check_coverage(const std::map<std::string, Declared>& tensors, uint64_t data_bytes,
                    const std::string& where) {
  std::vector<std::pair<std::vector<uint64_t>, const std::string*>> ranges;
  for (const auto& [name, declared] : tensors) ranges.emplace_back(*declared.offsets, &name);
  std::sort(ranges.begin(), ranges.end());
  uint64_t covered = 0;
  for (const auto& [range, name] : ranges) {
    SVDLAB_REQUIRE(range[0] == covered, Errc::kInput, where, ": tensor ", printable(*name), " begins at ",
                   range[0], ", data before it ends at ", covered, ": ",
                   range[0] < covered ? "overlap" : "hole");
    SVDLAB_REQUIRE(range[1] <= data_bytes, Errc::kInput, where, ": tensor ", printable(*name), " ends at ",
                   range[1], ", past the ", data_bytes, " data bytes of the file; truncated?");
    covered = range[1];
  }
  SVDLAB_REQUIRE(covered == data_bytes, Errc::kInput, where, ": tensors cover ", covered, " of ", data_bytes,
                 " data bytes");
}

}  // namespace

StContent parse_safetensors(const uint8_t* bytes, uint64_t size, const std::string& where) {
  const uint64_t length = read_header_length(bytes, size, where);
  const char* header = reinterpret_cast<const char*>(bytes) + kLengthBytes;
  HeaderReader reader(where);
  nlohmann::json::sax_parse(header, header + length, &reader);
  StContent out;
  for (const auto& [name, declared] : reader.tensors)
    out.entries[name] = checked_entry(name, declared, where);
  check_coverage(reader.tensors, size - kLengthBytes - length, where);
  for (auto& [name, entry] : out.entries)
    entry.data = bytes + kLengthBytes + length + reader.tensors.at(name).offsets->at(0);
  out.metadata = std::move(reader.metadata);
  return out;
}

}  // namespace svdlab
