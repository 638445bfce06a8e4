#include <algorithm>
#include <cstring>
#include <map>

#include "core/base/checked.h"
#include "core/io/files.h"
#include "core/io/hdf5.h"
#include "core/io/hdf5_handle.h"
#include "core/io/hdf5_trial.h"

namespace svdlab {
namespace {

using hdf5::check;
using hdf5::Context;
using hdf5::Handle;

// Deflate expands by at most 1032: a data set that claims more than that is refused before memory is asked
// for.
constexpr uint64_t kMaxExpansion = 1040;

std::string until_zero(const char* s, size_t size) { return std::string(s, strnlen(s, size)); }

[[noreturn]] void refuse(const Context& context, const std::string& object, const std::string& what) {
  throw Error(Errc::kInput, concat(context.file, ": ", object, ": ", what));
}

// Text of a data set or an attribute; `read(type, buffer)` fetches it.
template <class Read>
std::string scalar_text(hid_t type, hid_t space, const Context& context, const std::string& object,
                        uint64_t file_bytes, const Read& read) {
  if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_type(space) != H5S_SCALAR)
    refuse(context, object, "not a single text");
  if (H5Tis_variable_str(type) > 0) {
    const Handle memory(H5Tcopy(type), H5Tclose, context, object);
    char* text = nullptr;
    check(read(memory, &text), context, object);
    std::string out = text ? text : "";
    H5free_memory(text);
    return out;
  }
  const size_t size = H5Tget_size(type);
  if (size > file_bytes)
    refuse(context, object, concat("text of ", size, " bytes in a file of ", file_bytes));
  std::vector<char> buffer(size);
  check(read(type, buffer.data()), context, object);
  return until_zero(buffer.data(), size);
}

std::map<std::string, std::string> parse_units(const std::string& text) {
  std::map<std::string, std::string> out;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(';', start), text.size());
    const std::string entry = text.substr(start, end - start);
    if (const size_t equals = entry.find('='); equals != std::string::npos)
      out[entry.substr(0, equals)] = entry.substr(equals + 1);
    start = end + 1;
  }
  return out;
}

// One member of a compound row, as it lies in memory after HDF5 has converted it.
struct Member {
  std::string name;
  H5T_class_t kind;
  size_t offset, size;
};

Member member_of(hid_t row, unsigned index, size_t offset, const Context& context,
                 const std::string& object) {
  const Handle type(H5Tget_member_type(row, index), H5Tclose, context, object);
  char* raw = H5Tget_member_name(row, index);
  if (!raw) hdf5::fail(context, object);
  Member m{raw, H5Tget_class(type), offset, 8};
  H5free_memory(raw);
  const size_t size = H5Tget_size(type);
  const bool integer = m.kind == H5T_INTEGER && (size < 8 || (size == 8 && H5Tget_sign(type) == H5T_SGN_2));
  const bool number = m.kind == H5T_FLOAT && size <= 8;
  const bool text = m.kind == H5T_STRING && H5Tis_variable_str(type) == 0;
  if (!integer && !number && !text)
    refuse(context, object, concat("column ", m.name, " is neither int64, double nor fixed-length text"));
  if (text) m.size = size;
  return m;
}

hid_t memory_type(const Member& m, hid_t file_member) {
  return m.kind == H5T_INTEGER ? H5T_NATIVE_INT64 : m.kind == H5T_FLOAT ? H5T_NATIVE_DOUBLE : file_member;
}

template <class T, class Get>
std::vector<T> gather(const std::vector<char>& rows, size_t count, size_t stride, size_t offset,
                      const Get& get) {
  std::vector<T> out;
  out.reserve(count);
  for (size_t r = 0; r < count; ++r) out.push_back(get(rows.data() + r * stride + offset));
  return out;
}

template <class T>
T load(const char* bytes) {
  T v;
  std::memcpy(&v, bytes, sizeof v);
  return v;
}

Column column_of(const Member& m, const std::vector<char>& rows, size_t count, size_t stride) {
  Column c{m.name, "", {}};
  if (m.kind == H5T_INTEGER)
    c.values = gather<int64_t>(rows, count, stride, m.offset, load<int64_t>);
  else if (m.kind == H5T_FLOAT)
    c.values = gather<double>(rows, count, stride, m.offset, load<double>);
  else
    c.values = gather<std::string>(rows, count, stride, m.offset,
                                   [&](const char* s) { return until_zero(s, m.size); });
  return c;
}

at::ScalarType scalar_type_of(hid_t type, const Context& context, const std::string& path) {
  const H5T_class_t kind = H5Tget_class(type);
  const size_t size = H5Tget_size(type);
  if (kind == H5T_FLOAT && size == 4) return at::kFloat;
  if (kind == H5T_FLOAT && size == 8) return at::kDouble;
  if (kind == H5T_INTEGER && size == 8 && H5Tget_sign(type) == H5T_SGN_2) return at::kLong;
  if (kind == H5T_INTEGER && size == 1 && H5Tget_sign(type) == H5T_SGN_NONE) return at::kByte;
  refuse(context, path, "elements are neither float, double, int64 nor uint8");
}

hid_t native(at::ScalarType type) {
  return type == at::kFloat    ? H5T_NATIVE_FLOAT
         : type == at::kDouble ? H5T_NATIVE_DOUBLE
         : type == at::kLong   ? H5T_NATIVE_INT64
                               : H5T_NATIVE_UINT8;
}

// Data that lie in another file or need a plug-in are none of ours; a chunk is memory asked for at once.
void require_plain(hid_t set, uint64_t file_bytes, const Context& context, const std::string& path) {
  const Handle list(H5Dget_create_plist(set), H5Pclose, context, path);
  const H5D_layout_t layout = H5Pget_layout(list);
  if (layout == H5D_VIRTUAL || H5Pget_external_count(list) != 0)
    refuse(context, path, "its data lie in another file");
  for (int i = 0; i < H5Pget_nfilters(list); ++i) {
    unsigned flags = 0;
    size_t count = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &count, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      refuse(context, path,
             concat("filter ", filter, " is unknown here; known: deflate, shuffle, fletcher32"));
  }
  if (layout != H5D_CHUNKED) return;
  hsize_t chunk[H5S_MAX_RANK];
  const int rank = H5Pget_chunk(list, H5S_MAX_RANK, chunk);
  const Handle type(H5Dget_type(set), H5Tclose, context, path);
  uint64_t size = H5Tget_size(type);
  const std::string object = concat(context.file, ": ", path);
  for (int d = 0; d < rank; ++d) size = checked_mul(size, chunk[d], object.c_str());
  if (size / kMaxExpansion > file_bytes)
    refuse(context, path, concat("chunks of ", size, " bytes in a file of ", file_bytes));
}

template <class Read>
void forget_refusal(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

// Everything a caller could ask for. A group that holds itself ends at the depth.
void read_below(const Hdf5Reader& file, const std::string& group, int depth = 8) {
  for (const std::string& name : file.list(group)) {
    const std::string path = (group == "/" ? "" : group) + "/" + name;
    forget_refusal([&] { file.text(path); });
    forget_refusal([&] { file.table(path); });
    forget_refusal([&] { file.tensor(path); });
    if (depth > 0) forget_refusal([&] { read_below(file, path, depth - 1); });
  }
}

std::vector<std::string> names_of_attributes(hid_t object, const Context& context) {
  std::vector<std::string> names;
  for (int i = 0; i < H5Aget_num_attrs(object); ++i) {
    const Handle attribute(H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, static_cast<hsize_t>(i),
                                          H5P_DEFAULT, H5P_DEFAULT),
                           H5Aclose, context, "/");
    std::string name(static_cast<size_t>(std::max<ssize_t>(H5Aget_name(attribute, 0, nullptr), 0)), '\0');
    H5Aget_name(attribute, name.size() + 1, name.data());
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

// The file is opened from memory: no lock is taken, and what is checked is what is read.
struct Hdf5Reader::State {
  Context context;
  uint64_t bytes;
  Handle file;

  static Handle open(const Context& context, std::string& image) {
    hdf5::silence();
    if (image.empty()) refuse(context, "open", "the file is empty");
    const Handle access = hdf5::property_list(H5P_FILE_ACCESS, context);
    check(H5Pset_fapl_core(access, 1 << 16, false), context, "memory");
    check(H5Pset_file_image(access, image.data(), image.size()), context, "memory");
    return Handle(H5Fopen(hdf5::memory_name().c_str(), H5F_ACC_RDONLY, access), H5Fclose, context,
                  "not a readable HDF5 file");
  }

  State(const std::string& path, std::string& image)
      : context{path, Errc::kInput}, bytes(image.size()), file(open(context, image)) {}

  Handle dataset(const std::string& path) const {
    if (!hdf5::exists(file, path)) refuse(context, path, "no such object");
    Handle object(H5Oopen(file, path.c_str(), H5P_DEFAULT), H5Oclose, context, path);
    if (H5Iget_type(object) != H5I_DATASET) refuse(context, path, "not a data set");
    require_plain(object, bytes, context, path);
    return object;
  }

  std::vector<hsize_t> dims_of(hid_t set, size_t element_bytes, const std::string& path) const {
    const Handle space(H5Dget_space(set), H5Sclose, context, path);
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL) refuse(context, path, "has no shape");
    std::vector<hsize_t> dims(static_cast<size_t>(rank));
    H5Sget_simple_extent_dims(space, dims.data(), nullptr);
    uint64_t size = element_bytes;
    const std::string object = concat(context.file, ": ", path);
    for (const hsize_t n : dims) size = checked_mul(size, n, object.c_str());
    if (size / kMaxExpansion > bytes)
      refuse(context, path, concat(size, " bytes of data in a file of ", bytes));
    return dims;
  }

  std::string units_of(hid_t set, const std::string& path) const {
    if (H5Aexists(set, "units") <= 0) return "";
    const Handle attribute(H5Aopen(set, "units", H5P_DEFAULT), H5Aclose, context, path);
    return attribute_text(attribute, path + ": units");
  }

  std::string attribute_text(hid_t attribute, const std::string& object) const {
    const Handle type(H5Aget_type(attribute), H5Tclose, context, object);
    const Handle space(H5Aget_space(attribute), H5Sclose, context, object);
    return scalar_text(type, space, context, object, bytes,
                       [&](hid_t memory, void* out) { return H5Aread(attribute, memory, out); });
  }
};

Hdf5Reader::Hdf5Reader(const std::string& path) {
  std::string image = read_file(path);
  hdf5::try_in_child(path, image.size(), [&] {
    state_ = std::make_unique<State>(path, image);
    const Handle root(H5Gopen2(state_->file, "/", H5P_DEFAULT), H5Gclose, state_->context, "/");
    for (const std::string& name : names_of_attributes(root, state_->context))
      forget_refusal([&] { attribute(name); });
    read_below(*this, "/");
    state_.reset();
  });
  state_ = std::make_unique<State>(path, image);
}
Hdf5Reader::~Hdf5Reader() = default;

bool Hdf5Reader::has(const std::string& path) const { return hdf5::exists(state_->file, path); }

std::vector<std::string> Hdf5Reader::list(const std::string& path) const {
  const Context& context = state_->context;
  if (!has(path)) refuse(context, path, "no such group");
  const Handle group(H5Gopen2(state_->file, path.c_str(), H5P_DEFAULT), H5Gclose, context, path);
  H5G_info_t info;
  check(H5Gget_info(group, &info), context, path);
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const ssize_t size =
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (size < 0) hdf5::fail(context, path);
    std::string name(static_cast<size_t>(size), '\0');
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size() + 1, H5P_DEFAULT);
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Hdf5Reader::attribute(const std::string& name) const {
  const Context& context = state_->context;
  const std::string object = "attribute " + name;
  const Handle root(H5Gopen2(state_->file, "/", H5P_DEFAULT), H5Gclose, context, "/");
  if (H5Aexists(root, name.c_str()) <= 0) refuse(context, object, "missing");
  const Handle attribute(H5Aopen(root, name.c_str(), H5P_DEFAULT), H5Aclose, context, object);
  return state_->attribute_text(attribute, object);
}

std::string Hdf5Reader::text(const std::string& path) const {
  const Handle set = state_->dataset(path);
  const Handle type(H5Dget_type(set), H5Tclose, state_->context, path);
  const Handle space(H5Dget_space(set), H5Sclose, state_->context, path);
  return scalar_text(type, space, state_->context, path, state_->bytes, [&](hid_t memory, void* out) {
    return H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  });
}

Table Hdf5Reader::table(const std::string& path) const {
  const Context& context = state_->context;
  const Handle set = state_->dataset(path);
  const Handle row(H5Dget_type(set), H5Tclose, context, path);
  if (H5Tget_class(row) != H5T_COMPOUND) refuse(context, path, "not a table (its type is no compound)");
  std::vector<Member> members;
  size_t stride = 0;
  for (int i = 0; i < H5Tget_nmembers(row); ++i) {
    members.push_back(member_of(row, static_cast<unsigned>(i), stride, context, path));
    stride += members.back().size;
  }
  const std::vector<hsize_t> dims = state_->dims_of(set, stride, path);
  if (dims.size() != 1) refuse(context, path, concat("a table has one dimension, not ", dims.size()));

  const Handle memory(H5Tcreate(H5T_COMPOUND, stride), H5Tclose, context, path);
  for (size_t i = 0; i < members.size(); ++i) {
    const Handle type(H5Tget_member_type(row, static_cast<unsigned>(i)), H5Tclose, context, path);
    check(H5Tinsert(memory, members[i].name.c_str(), members[i].offset, memory_type(members[i], type)),
          context, path);
  }
  std::vector<char> rows(dims[0] * stride);
  if (dims[0] > 0) check(H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), context, path);

  const auto units = parse_units(state_->units_of(set, path));
  Table table{path, {}};
  for (const Member& m : members) {
    table.columns.push_back(column_of(m, rows, dims[0], stride));
    if (const auto found = units.find(m.name); found != units.end())
      table.columns.back().unit = found->second;
  }
  return table;
}

Tensor Hdf5Reader::tensor(const std::string& path) const {
  const Context& context = state_->context;
  const Handle set = state_->dataset(path);
  const Handle type(H5Dget_type(set), H5Tclose, context, path);
  const at::ScalarType scalar = scalar_type_of(type, context, path);
  const std::vector<hsize_t> dims = state_->dims_of(set, H5Tget_size(type), path);
  Tensor out = at::empty(std::vector<int64_t>(dims.begin(), dims.end()), scalar);
  if (out.numel() > 0)
    check(H5Dread(set, native(scalar), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data_ptr()), context, path);
  return out;
}

}  // namespace svdlab
