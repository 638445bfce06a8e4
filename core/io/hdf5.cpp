#include "core/io/hdf5.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/io/files.h"
#include "core/io/hdf5_handle.h"

namespace svdlab {
namespace {

using hdf5::check;
using hdf5::Context;
using hdf5::Handle;

constexpr uint64_t kChunkBytes = 256 * 1024;
constexpr size_t kImageGrowth = 1 << 20;

Handle fixed_string(size_t size, const Context& context, const std::string& object) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, context, object);
  check(H5Tset_size(type, std::max<size_t>(size, 1)), context, object);
  check(H5Tset_strpad(type, H5T_STR_NULLPAD), context, object);
  check(H5Tset_cset(type, H5T_CSET_UTF8), context, object);
  return type;
}

void require_no_zero_byte(const std::string& s, const Context& context, const std::string& object) {
  SVDLAB_REQUIRE(s.find('\0') == std::string::npos, Errc::kInput, context.file, ": ", object,
                 ": text with a zero byte cannot be stored");
}

// Creation properties of a data set: no time stamp; chunks of about kChunkBytes, compressed, when it has
// elements.
Handle creation(std::vector<hsize_t> chunk, size_t element_bytes, const Context& context,
                const std::string& object) {
  Handle list = hdf5::property_list(H5P_DATASET_CREATE, context);
  check(H5Pset_obj_track_times(list, false), context, object);
  uint64_t bytes = element_bytes;
  for (const hsize_t n : chunk) bytes *= n;
  if (chunk.empty() || bytes == 0) return list;
  for (size_t d = 0; d < chunk.size();) {
    if (bytes <= kChunkBytes || chunk[d] == 1) {
      ++d;
      continue;
    }
    bytes = bytes / chunk[d] * ((chunk[d] + 1) / 2);
    chunk[d] = (chunk[d] + 1) / 2;
  }
  check(H5Pset_chunk(list, static_cast<int>(chunk.size()), chunk.data()), context, object);
  check(H5Pset_shuffle(list), context, object);
  check(H5Pset_deflate(list, 4), context, object);
  check(H5Pset_fletcher32(list), context, object);
  return list;
}

void write_attribute(hid_t owner, const std::string& name, const std::string& value, const Context& context) {
  const std::string object = "attribute " + name;
  require_no_zero_byte(value, context, object);
  // Variable length: h5py then gives a str, where a fixed length would give bytes.
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, context, object);
  check(H5Tset_size(type, H5T_VARIABLE), context, object);
  check(H5Tset_cset(type, H5T_CSET_UTF8), context, object);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, context, object);
  const Handle attribute(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                         context, object);
  const char* text = value.c_str();
  check(H5Awrite(attribute, type, &text), context, object);
}

// Members of one compound row: where each column lies.
struct RowLayout {
  std::vector<size_t> offset, size;
  size_t bytes = 0;
};

size_t cell_bytes(const Column& c) {
  const auto* strings = std::get_if<std::vector<std::string>>(&c.values);
  if (!strings) return 8;
  size_t longest = 1;
  for (const std::string& s : *strings) longest = std::max(longest, s.size());
  return longest;
}

RowLayout layout_of(const Table& table) {
  RowLayout layout;
  for (const Column& c : table.columns) {
    layout.offset.push_back(layout.bytes);
    layout.size.push_back(cell_bytes(c));
    layout.bytes += layout.size.back();
  }
  return layout;
}

void require_sound(const Table& table, const Context& context) {
  SVDLAB_REQUIRE(!table.columns.empty(), Errc::kInput, context.file, ": table ", table.name,
                 " has no column");
  std::set<std::string> names;
  for (const Column& c : table.columns) {
    const bool plain =
        !c.name.empty() && (c.name + c.unit).find_first_of(std::string("=;\0", 3)) == std::string::npos;
    SVDLAB_REQUIRE(plain && names.insert(c.name).second, Errc::kInput, context.file, ": table ", table.name,
                   ": column name \"", c.name, "\" is empty, used twice, or holds = or ;");
    SVDLAB_REQUIRE(c.rows() == table.rows(), Errc::kInput, context.file, ": table ", table.name, ": column ",
                   c.name, " has ", c.rows(), " rows, the first column ", table.rows());
    if (const auto* strings = std::get_if<std::vector<std::string>>(&c.values))
      for (const std::string& s : *strings)
        require_no_zero_byte(s, context, table.name + ": column " + c.name);
  }
}

Handle row_type(const Table& table, const RowLayout& layout, const Context& context) {
  Handle type(H5Tcreate(H5T_COMPOUND, layout.bytes), H5Tclose, context, table.name);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Column& c = table.columns[i];
    const Handle text = fixed_string(layout.size[i], context, table.name);
    const hid_t cell = c.values.index() == 0   ? H5T_STD_I64LE
                       : c.values.index() == 1 ? H5T_IEEE_F64LE
                                               : hid_t{text};
    check(H5Tinsert(type, c.name.c_str(), layout.offset[i], cell), context, table.name);
  }
  return type;
}

std::vector<char> packed_rows(const Table& table, const RowLayout& layout) {
  std::vector<char> rows(table.rows() * layout.bytes);
  for (size_t i = 0; i < table.columns.size(); ++i) {
    std::visit(
        [&](const auto& values) {
          char* out = rows.data() + layout.offset[i];
          for (const auto& v : values) {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>)
              std::memcpy(out, v.data(), v.size());
            else
              std::memcpy(out, &v, sizeof v);
            out += layout.bytes;
          }
        },
        table.columns[i].values);
  }
  return rows;
}

std::string units_of(const Table& table) {
  std::string out;
  for (const Column& c : table.columns)
    if (!c.unit.empty()) out += (out.empty() ? "" : ";") + c.name + "=" + c.unit;
  return out;
}

hid_t element_type(const Tensor& tensor, const Context& context, const std::string& path) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return H5T_IEEE_F32LE;
    case at::kDouble:
      return H5T_IEEE_F64LE;
    case at::kLong:
      return H5T_STD_I64LE;
    case at::kByte:
      return H5T_STD_U8LE;
    default:
      break;
  }
  throw Error(Errc::kInput,
              concat(context.file, ": ", path, ": a tensor of ", at::toString(tensor.scalar_type()),
                     " cannot be stored; convert it to float, double, int64 or uint8"));
}

}  // namespace

// The file is built in memory and written in one piece: a full disk or a lock on a network file system can
// then not leave the library with a half-closed file.
struct Hdf5Writer::State {
  Context context;
  std::string path;
  Handle file;

  static Handle create(const Context& context) {
    hdf5::silence();
    const Handle access = hdf5::property_list(H5P_FILE_ACCESS, context);
    check(H5Pset_fapl_core(access, kImageGrowth, false), context, "memory");
    const Handle options = hdf5::property_list(H5P_FILE_CREATE, context);
    check(H5Pset_obj_track_times(options, false), context, "/");
    return Handle(H5Fcreate(hdf5::memory_name().c_str(), H5F_ACC_TRUNC, options, access), H5Fclose, context,
                  "create");
  }

  explicit State(const std::string& path)
      : context{path, Errc::kResource}, path(path), file(create(context)) {}

  // Makes the groups above `object` and refuses a path that is taken.
  void prepare(const std::string& object) {
    SVDLAB_REQUIRE(object.size() > 1 && object[0] == '/' && object.back() != '/', Errc::kInput, path, ": \"",
                   object, "\" is no object path; write /name or /group/name");
    SVDLAB_REQUIRE(!hdf5::exists(file, object), Errc::kInput, path, ": ", object, " is written twice");
    const Handle options = hdf5::property_list(H5P_GROUP_CREATE, context);
    check(H5Pset_obj_track_times(options, false), context, object);
    for (size_t end = object.find('/', 1); end != std::string::npos; end = object.find('/', end + 1)) {
      const std::string group = object.substr(0, end);
      if (!hdf5::exists(file, group))
        Handle(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, options, H5P_DEFAULT), H5Gclose, context, group);
    }
  }

  Handle dataset(const std::string& object, hid_t type, hid_t space, hid_t options) {
    return Handle(H5Dcreate2(file, object.c_str(), type, space, H5P_DEFAULT, options, H5P_DEFAULT), H5Dclose,
                  context, object);
  }

  std::string image() {
    check(H5Fflush(file, H5F_SCOPE_GLOBAL), context, "flush");
    const ssize_t size = H5Fget_file_image(file, nullptr, 0);
    if (size < 0) hdf5::fail(context, "image");
    std::string bytes(static_cast<size_t>(size), '\0');
    if (H5Fget_file_image(file, bytes.data(), bytes.size()) != size) hdf5::fail(context, "image");
    return bytes;
  }
};

Hdf5Writer::Hdf5Writer(const std::string& path) : state_(std::make_unique<State>(path)) {}
Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::attribute(const std::string& name, const std::string& value) {
  const Handle root(H5Gopen2(state_->file, "/", H5P_DEFAULT), H5Gclose, state_->context, "/");
  write_attribute(root, name, value, state_->context);
}

void Hdf5Writer::text(const std::string& path, const std::string& utf8) {
  const Context& context = state_->context;
  require_no_zero_byte(utf8, context, path);
  state_->prepare(path);
  const Handle type = fixed_string(utf8.size(), context, path);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, context, path);
  const Handle set = state_->dataset(path, type, space, creation({}, 1, context, path));
  check(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, utf8.c_str()), context, path);
}

void Hdf5Writer::table(const Table& table) {
  const Context& context = state_->context;
  require_sound(table, context);
  state_->prepare(table.name);
  const RowLayout layout = layout_of(table);
  const Handle type = row_type(table, layout, context);
  const hsize_t rows = table.rows(), unlimited = H5S_UNLIMITED;
  const Handle space(H5Screate_simple(1, &rows, &unlimited), H5Sclose, context, table.name);
  // An extendible data set needs a chunk even without rows.
  const Handle options = creation({std::max<hsize_t>(rows, 1)}, layout.bytes, context, table.name);
  const Handle set = state_->dataset(table.name, type, space, options);
  if (rows > 0)
    check(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed_rows(table, layout).data()), context,
          table.name);
  if (const std::string units = units_of(table); !units.empty())
    write_attribute(set, "units", units, context);
}

void Hdf5Writer::tensor(const std::string& path, const Tensor& tensor) {
  const Context& context = state_->context;
  const hid_t type = element_type(tensor, context, path);
  state_->prepare(path);
  const Tensor data = tensor.detach().cpu().contiguous();
  const std::vector<hsize_t> dims(data.sizes().begin(), data.sizes().end());
  const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose, context,
                     path);
  const Handle set = state_->dataset(path, type, space, creation(dims, data.element_size(), context, path));
  if (data.numel() > 0)
    check(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data_ptr()), context, path);
}

void Hdf5Writer::close() {
  write_file(state_->path, state_->image());
  state_.reset();
}

}  // namespace svdlab
