#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "experiments/report/html.h"
#include "experiments/report/html_elements.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

constexpr int kThumbnail = 112, kPanel = 224;  // pixels

std::string source_of(const Image& image) { return "data:image/png;base64," + base64(encode_png(image)); }

// Small pictures are enlarged by a whole factor, so that their pixels stay square.
std::string picture(const Image& image, const std::string& alt, int room) {
  const int factor = std::max(1, room / std::max(image.width, 1));
  const int width = std::min(image.width * factor, room);
  const int height = static_cast<int>(int64_t{width} * image.height / std::max(image.width, 1));
  return concat("<img alt=\"", escaped(alt), "\" width=\"", width, "\" height=\"", height,
                factor > 1 ? "\" class=\"pixels" : "", "\" src=\"", source_of(image), "\"/>");
}

void require_rectangular(const ImageGrid& g) {
  const size_t columns = g.columns.size();
  const auto fits = [&](const auto& rows) {
    return rows.size() == g.rows.size() &&
           std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return row.size() == columns; });
  };
  SVDLAB_REQUIRE(fits(g.cells) && (g.captions.empty() || fits(g.captions)), Errc::kConfig,
                 "an image grid of ", g.rows.size(), " x ", columns, " got rows of other lengths");
}

std::string slider(const std::string& what, int least, int most, int value) {
  return concat("<input type=\"range\" aria-label=\"", escaped(what), "\" min=\"", least, "\" max=\"", most,
                "\" value=\"", value, "\"/>");
}

std::string panel(const std::string& kind, const std::string& pictures, const std::string& foot) {
  return "<div class=\"panel\"><div class=\"" + kind + "\">" + pictures + "</div>" + foot + "</div>\n";
}

}  // namespace

void HtmlPage::images(const ImageGrid& grid, const std::string& caption) {
  require_rectangular(grid);
  body_ += "<figure><div class=\"images\"><table class=\"grid\" data-name=\"" + escaped(grid.name) +
           "\">\n<thead><tr><th></th>";
  for (const std::string& c : grid.columns) body_ += tagged("th scope=\"col\"", c);
  body_ += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < grid.rows.size(); ++r) {
    body_ += "<tr>" + tagged("th scope=\"row\" class=\"row\"", grid.rows[r]);
    for (size_t c = 0; c < grid.columns.size(); ++c) {
      body_ += "<td>" + picture(grid.cells[r][c], grid.rows[r] + ", " + grid.columns[c], kThumbnail);
      if (!grid.captions.empty()) body_ += tagged("span", grid.captions[r][c]);
      body_ += "</td>";
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>" + figure_caption(caption) + "</figure>\n";
}

void HtmlPage::comparison(const Image& a, const Image& b, const std::string& caption) {
  const std::string first = picture(a, "first picture", kPanel),
                    second = picture(b, "second picture", kPanel);
  body_ +=
      "<figure class=\"compare\"><div class=\"controls\"><label>item <select class=\"item\"></select></label>"
      "<label>cell <select class=\"cell\"></select></label></div>\n<div class=\"panels\">\n";
  body_ += panel("frame", first, "<p class=\"a\"></p>") + panel("frame", second, "<p class=\"b\"></p>");
  body_ += panel("frame difference", first + second,
                 "<p>|difference| × <output>4</output></p>" + slider("gain of the difference", 1, 32, 4));
  body_ +=
      panel("frame wipe", first + second,
            "<p>left of the edge 16 bit, right of it the cell</p>" + slider("place of the edge", 0, 100, 50));
  body_ += "</div>" + figure_caption(caption) + "</figure>\n";
}

std::string base64(const std::string& bytes) {
  static constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

Image reduced(const Image& image, int width) {
  const int side = (image.width + width - 1) / std::max(width, 1);
  if (side <= 1 || image.height < side) return image;
  Image out{image.width / side, image.height / side, {}};
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int channel = 0; channel < 3; ++channel) {
        int sum = side * side / 2;  // rounds to nearest
        for (int dy = 0; dy < side; ++dy)
          for (int dx = 0; dx < side; ++dx)
            sum +=
                image.rgb[(static_cast<size_t>(y * side + dy) * image.width + x * side + dx) * 3 + channel];
        out.rgb.push_back(static_cast<uint8_t>(sum / (side * side)));
      }
  return out;
}

Image absolute_difference(const Image& a, const Image& b, int gain) {
  SVDLAB_REQUIRE(a.width == b.width && a.height == b.height && a.rgb.size() == b.rgb.size(), Errc::kInput,
                 "images of ", a.width, " x ", a.height, " and ", b.width, " x ", b.height,
                 " have no difference");
  Image out{a.width, a.height, std::vector<uint8_t>(a.rgb.size())};
  for (size_t i = 0; i < a.rgb.size(); ++i)
    out.rgb[i] = static_cast<uint8_t>(std::min(255, gain * std::abs(int{a.rgb[i]} - int{b.rgb[i]})));
  return out;
}

}  // namespace svdlab::report
