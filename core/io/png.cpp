#include "core/io/png.h"

#include <png.h>

#include <cstring>

#include "core/base/error.h"
#include "core/io/files.h"

namespace svdlab {
namespace {

constexpr uint64_t kMaxPixels = uint64_t{1} << 28;
// Deflate expands by at most 1032; a header that promises more than the file can hold is refused before
// allocating.
constexpr uint64_t kMaxExpansion = 1040;

// libpng reports errors by longjmp, which must not cross a destructor: what lies between setjmp and a call
// into libpng lives here, and the functions that call setjmp hold only plain values.
struct Session {
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[256] = "";
  const std::string* input = nullptr;
  size_t at = 0;
  std::string output;
};

Session& session_of(png_structp png) { return *static_cast<Session*>(png_get_io_ptr(png)); }

void on_error(png_structp png, png_const_charp message) {
  Session& s = *static_cast<Session*>(png_get_error_ptr(png));
  std::strncpy(s.message, message, sizeof s.message - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, size_t n) {
  Session& s = session_of(png);
  if (n > s.input->size() - s.at) png_error(png, "the file ends early");
  std::memcpy(out, s.input->data() + s.at, n);
  s.at += n;
}

bool append(std::string& out, const uint8_t* bytes, size_t n) noexcept {
  try {
    out.append(reinterpret_cast<const char*>(bytes), n);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void write_bytes(png_structp png, png_bytep bytes, size_t n) {
  if (!append(session_of(png).output, bytes, n)) png_error(png, "out of memory");
}

void flush_nothing(png_structp) {}

class Reader {
 public:
  explicit Reader(const std::string& bytes) {
    s_.input = &bytes;
    s_.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s_, on_error, on_warning);
    if (s_.png) s_.info = png_create_info_struct(s_.png);
  }
  ~Reader() { png_destroy_read_struct(&s_.png, &s_.info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool header() {
    if (!s_.info || setjmp(png_jmpbuf(s_.png))) return false;
    png_set_read_fn(s_.png, &s_, read_bytes);
    png_set_user_limits(s_.png, kMaxPixels, kMaxPixels);
    png_read_info(s_.png, s_.info);
    return true;
  }

  uint32_t width() const { return png_get_image_width(s_.png, s_.info); }
  uint32_t height() const { return png_get_image_height(s_.png, s_.info); }
  uint64_t stored_bytes() const { return uint64_t{png_get_rowbytes(s_.png, s_.info)} * height(); }

  // Palette, grey, 1 to 16 bits and alpha all become 8-bit RGB; alpha is dropped, not composed.
  bool pixels(uint8_t* rgb) {
    if (setjmp(png_jmpbuf(s_.png))) return false;
    png_set_expand(s_.png);
    png_set_scale_16(s_.png);
    png_set_gray_to_rgb(s_.png);
    png_set_strip_alpha(s_.png);
    const int passes = png_set_interlace_handling(s_.png);
    png_read_update_info(s_.png, s_.info);
    const size_t stride = size_t{3} * width();
    if (png_get_rowbytes(s_.png, s_.info) != stride) png_error(s_.png, "the pixels are not RGB");
    for (int pass = 0; pass < passes; ++pass)
      for (uint32_t y = 0; y < height(); ++y) png_read_row(s_.png, rgb + y * stride, nullptr);
    png_read_end(s_.png, nullptr);
    return true;
  }

  const char* message() const { return s_.message; }

 private:
  Session s_;
};

class Writer {
 public:
  Writer() {
    s_.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s_, on_error, on_warning);
    if (s_.png) s_.info = png_create_info_struct(s_.png);
  }
  ~Writer() { png_destroy_write_struct(&s_.png, &s_.info); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool write(const Image& image, const png_text* text, int texts) {
    if (!s_.info || setjmp(png_jmpbuf(s_.png))) return false;
    png_set_write_fn(s_.png, &s_, write_bytes, flush_nothing);
    png_set_IHDR(s_.png, s_.info, static_cast<uint32_t>(image.width), static_cast<uint32_t>(image.height), 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(s_.png, 6);
    png_set_filter(s_.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
    png_set_text(s_.png, s_.info, text, texts);
    png_write_info(s_.png, s_.info);
    for (int y = 0; y < image.height; ++y)
      png_write_row(s_.png,
                    image.rgb.data() + size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(y));
    png_write_end(s_.png, nullptr);
    return true;
  }

  std::string take() { return std::move(s_.output); }
  const char* message() const { return s_.message; }

 private:
  Session s_;
};

void require_text(const std::string& key, const std::string& value) {
  bool ok = !key.empty() && key.size() <= 79 && key.front() != ' ' && key.back() != ' ';
  for (const char c : key) ok = ok && c >= ' ' && c <= '~';
  SVDLAB_REQUIRE(ok, Errc::kConfig, "PNG text key \"", key, "\" must be 1 to 79 printable ASCII characters");
  SVDLAB_REQUIRE(value.find('\0') == std::string::npos, Errc::kConfig, "PNG text \"", key,
                 "\" holds a zero byte");
}

}  // namespace

std::string encode_png(const Image& image, const std::map<std::string, std::string>& text) {
  const bool ok =
      image.width > 0 && image.height > 0 &&
      image.rgb.size() == size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  SVDLAB_REQUIRE(ok, Errc::kInput, "an image of ", image.width, " x ", image.height, " pixels with ",
                 image.rgb.size(), " bytes cannot be written; it takes width * height * 3");
  std::vector<png_text> chunks;
  for (const auto& [key, value] : text) {
    require_text(key, value);
    png_text chunk = {};
    chunk.compression = PNG_TEXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(key.c_str());
    chunk.text = const_cast<char*>(value.c_str());
    chunk.text_length = value.size();
    chunks.push_back(chunk);
  }
  Writer writer;
  SVDLAB_REQUIRE(writer.write(image, chunks.data(), static_cast<int>(chunks.size())), Errc::kResource,
                 "encoding a PNG of ", image.width, " x ", image.height, ": ", writer.message());
  return writer.take();
}

void write_png(const std::string& path, const Image& image, const std::map<std::string, std::string>& text) {
  write_file(path, encode_png(image, text));
}

Image read_png(const std::string& path) {
  const std::string bytes = read_file(path);
  Reader reader(bytes);
  SVDLAB_REQUIRE(reader.header(), Errc::kInput, path, ": not a readable PNG: ", reader.message());
  const uint64_t width = reader.width(), height = reader.height();
  SVDLAB_REQUIRE(width * height <= kMaxPixels, Errc::kInput, path, ": ", width, " x ", height,
                 " pixels are more than the limit of ", kMaxPixels);
  SVDLAB_REQUIRE(reader.stored_bytes() / kMaxExpansion <= bytes.size(), Errc::kInput, path, ": ", width,
                 " x ", height, " pixels cannot come from ", bytes.size(),
                 " bytes; the file is cut off or damaged");
  Image image{static_cast<int>(width), static_cast<int>(height), std::vector<uint8_t>(width * height * 3)};
  SVDLAB_REQUIRE(reader.pixels(image.rgb.data()), Errc::kInput, path, ": damaged PNG: ", reader.message());
  return image;
}

}  // namespace svdlab
