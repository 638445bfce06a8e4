#include "core/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/base/error.h"
#include "core/io/safetensors_dtype.h"

namespace svdlab {
namespace {

constexpr uint64_t kEndBytes = 22, kCentralBytes = 46, kLocalBytes = 30;
constexpr uint32_t kEndMark = 0x06054b50, kCentralMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr uint32_t kStored = 0, kDeflated = 8;
constexpr uint64_t kTooLarge = 0xFFFFFFFF;
// Deflate expands by at most 1032; a directory that promises more is refused before allocating.
constexpr uint64_t kMaxExpansion = 1040;

uint32_t crc_of(const std::string& bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<z_size_t>(bytes.size())));
}

// False unless the stream ends exactly with both buffers.
bool inflate_into(const std::string& packed, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = inflate(&stream, Z_FINISH);
  const bool whole = code == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
  inflateEnd(&stream);
  return whole;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// What the local and the central header of an entry have in common, from "version needed" on.
std::string common_header(const std::string& name, const std::string& content) {
  constexpr uint64_t kDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01, the format's first day
  std::string out;
  put(out, 20, 2), put(out, 0, 2), put(out, kStored, 2), put(out, 0, 2), put(out, kDate, 2);
  put(out, crc_of(content), 4), put(out, content.size(), 4), put(out, content.size(), 4);
  put(out, name.size(), 2), put(out, 0, 2);
  return out;
}

}  // namespace

ZipFile::ZipFile(std::string bytes, std::string where) : bytes_(std::move(bytes)), where_(std::move(where)) {
  const Directory directory = find_directory();
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) at = add_entry(at, directory.offset + directory.bytes);
  if (at != directory.offset + directory.bytes)
    refuse(concat("the directory has ", directory.offset + directory.bytes - at, " bytes left over"));
}

void ZipFile::refuse(const std::string& what) const { throw Error(Errc::kInput, where_ + ": " + what); }

uint64_t ZipFile::number(uint64_t at, int bytes) const {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value |= uint64_t{static_cast<uint8_t>(bytes_[at + static_cast<uint64_t>(i)])} << (8 * i);
  return value;
}

ZipFile::Directory ZipFile::find_directory() const {
  const uint64_t size = bytes_.size(), most = kEndBytes + 0xFFFF;
  for (uint64_t back = kEndBytes; back <= std::min(size, most); ++back) {
    const uint64_t at = size - back;
    if (number(at, 4) != kEndMark || number(at + 20, 2) != back - kEndBytes) continue;
    const Directory found{number(at + 16, 4), number(at + 12, 4), number(at + 10, 2)};
    if (number(at + 4, 4) != 0 || number(at + 8, 2) != found.entries) refuse("a zip archive in parts");
    if (found.offset + found.bytes != at)
      refuse(concat("the zip directory at ", found.offset, " of ", found.bytes, " bytes does not end at ", at,
                    " (damaged, or above 4 GiB)"));
    return found;
  }
  refuse(concat("not a zip archive (.npz) of ", size, " bytes: no end mark; the file may be cut off"));
}

uint64_t ZipFile::add_entry(uint64_t at, uint64_t end) {
  if (end - at < kCentralBytes || number(at, 4) != kCentralMark)
    refuse(concat("no entry at byte ", at, " of the zip directory"));
  const uint64_t name_bytes = number(at + 28, 2);
  const uint64_t next = at + kCentralBytes + name_bytes + number(at + 30, 2) + number(at + 32, 2);
  if (next > end) refuse(concat("the entry at byte ", at, " runs past the zip directory"));
  const std::string name = bytes_.substr(at + kCentralBytes, name_bytes);
  const Entry entry{static_cast<uint32_t>(number(at + 10, 2)), static_cast<uint32_t>(number(at + 16, 4)),
                    number(at + 20, 4), number(at + 24, 4), number(at + 42, 4)};
  const std::string shown = printable(name);
  if (number(at + 8, 2) & 1) refuse(concat("entry ", shown, " is encrypted"));
  if (entry.method != kStored && entry.method != kDeflated)
    refuse(concat("entry ", shown, " is packed by method ", entry.method, "; known: 0 stored, 8 deflated"));
  if (entry.packed == kTooLarge || entry.size == kTooLarge || entry.offset == kTooLarge)
    refuse(concat("entry ", shown, " is of 4 GiB or more"));
  if (!entries_.emplace(name, entry).second) refuse(concat("entry ", shown, " is there twice"));
  return next;
}

std::vector<std::string> ZipFile::names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : entries_) out.push_back(name);
  return out;
}

std::string ZipFile::packed_bytes(const std::string& name, const Entry& entry) const {
  const uint64_t size = bytes_.size(), at = entry.offset;
  if (at > size || size - at < kLocalBytes || number(at, 4) != kLocalMark)
    refuse(concat("entry ", printable(name), ": no header at byte ", at));
  const uint64_t name_bytes = number(at + 26, 2), start = at + kLocalBytes + name_bytes + number(at + 28, 2);
  if (start > size || size - start < entry.packed)
    refuse(concat("entry ", printable(name), ": ", entry.packed, " bytes at ", start, " leave the file of ",
                  size));
  if (bytes_.compare(at + kLocalBytes, name_bytes, name) != 0)
    refuse(concat("entry ", printable(name), " has another name in its header"));
  return bytes_.substr(start, entry.packed);
}

std::string ZipFile::read(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) refuse(concat("no entry ", printable(name)));
  const Entry& entry = found->second;
  std::string packed = packed_bytes(name, entry);
  if (entry.method == kStored ? entry.size != entry.packed : entry.size / kMaxExpansion > entry.packed)
    refuse(concat("entry ", printable(name), ": ", entry.size, " bytes cannot come from ", entry.packed));
  std::string out;
  if (entry.method == kStored) {
    out = std::move(packed);
  } else {
    out.resize(entry.size);
    if (!inflate_into(packed, out)) refuse(concat("entry ", printable(name), ": damaged deflate stream"));
  }
  if (crc_of(out) != entry.crc) refuse(concat("entry ", printable(name), ": wrong CRC-32; damaged"));
  return out;
}

std::string encode_zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out, directory;
  std::set<std::string> names;
  for (const auto& [name, content] : entries) {
    SVDLAB_REQUIRE(names.insert(name).second, Errc::kInput, "zip entry ", name, " given twice");
    SVDLAB_REQUIRE(out.size() + content.size() < kTooLarge, Errc::kInput, "zip entry ", name, " of ",
                   content.size(), " bytes goes past 4 GiB");
    const std::string common = common_header(name, content);
    put(directory, kCentralMark, 4), put(directory, 20, 2);
    directory += common;
    put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 4);
    put(directory, out.size(), 4);
    directory += name;
    put(out, kLocalMark, 4);
    out += common + name + content;
  }
  const uint64_t start = out.size();
  out += directory;
  put(out, kEndMark, 4), put(out, 0, 4), put(out, entries.size(), 2), put(out, entries.size(), 2);
  put(out, directory.size(), 4), put(out, start, 4), put(out, 0, 2);
  return out;
}

}  // namespace svdlab
