#include "experiments/report/html.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "experiments/report/html_style.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

std::string tagged(const std::string& tag, const std::string& text) {
  return "<" + tag + ">" + escaped(text) + "</" + tag.substr(0, tag.find(' ')) + ">";
}

std::string marked(const std::string& text, Rank rank) {
  return rank == Rank::kBest ? tagged("b", text) : rank == Rank::kSecond ? tagged("u", text) : escaped(text);
}

std::string table_head(const Column& c, const ViewOptions& options) {
  const auto better = options.better.find(c.name);
  std::string out = c.values.index() == 2 ? "<th>" : "<th class=\"n\">";
  out += escaped(c.name);
  if (!c.unit.empty()) out += " " + tagged("i", c.unit);
  if (better != options.better.end()) out += better->second == Better::kHigher ? " <i>↑</i>" : " <i>↓</i>";
  return out + "</th>";
}

std::string table_cell(const Column& c, const std::string& text, Rank rank) {
  if (c.values.index() == 2) return tagged("td", text);
  if (text == "nan") return "<td class=\"n missing\">–</td>";
  std::string shown = text;
  if (text.ends_with("inf")) shown = text[0] == '-' ? "−∞" : "∞";
  return "<td class=\"n\">" + marked(shown, rank) + "</td>";
}

// Small pictures are enlarged by a whole factor, so that their pixels stay square.
int shown_width(const Image& image) {
  const int factor = std::max(1, 112 / std::max(image.width, 1));
  return std::min(image.width * factor, 256);
}

std::string picture(const Image& image, const std::string& alt) {
  const int width = shown_width(image);
  const int height = static_cast<int>(int64_t{width} * image.height / std::max(image.width, 1));
  return concat("<img alt=\"", escaped(alt), "\" width=\"", width, "\" height=\"", height,
                width > image.width ? "\" style=\"image-rendering:pixelated" : "",
                "\" src=\"data:image/png;base64,", base64(encode_png(image)), "\"/>");
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

}  // namespace

HtmlPage::HtmlPage(const std::string& title, const std::string& subtitle)
    : title_(title), subtitle_(subtitle) {}

void HtmlPage::section(const std::string& title) {
  const std::string id = concat("s", ++sections_);
  contents_ += "<a href=\"#" + id + "\">" + escaped(title) + "</a>\n";
  body_ += "<h2 id=\"" + id + "\">" + escaped(title) + "</h2>\n";
}

void HtmlPage::paragraph(const std::string& text) { body_ += tagged("p", text) + "\n"; }

void HtmlPage::verdict(Verdict verdict, const std::string& text) {
  const std::string kind = verdict == Verdict::kPass ? "pass" : verdict == Verdict::kFail ? "fail" : "note";
  body_ += "<div class=\"verdict " + kind + "\">" + tagged("b", kind) + escaped(text) + "</div>\n";
}

void HtmlPage::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  body_ += "<dl>\n";
  for (const auto& [name, value] : facts) body_ += tagged("dt", name) + tagged("dd", value) + "\n";
  body_ += "</dl>\n";
}

void HtmlPage::figures(const std::vector<std::pair<std::string, std::string>>& value_and_label) {
  body_ += "<div class=\"figures\">\n";
  for (const auto& [value, label] : value_and_label)
    body_ += "<div>" + tagged("b", value) + tagged("span", label) + "</div>\n";
  body_ += "</div>\n";
}

void HtmlPage::table(const Table& table, const ViewOptions& options) {
  std::vector<std::vector<std::string>> cells;
  std::vector<std::vector<Rank>> marks;
  body_ += "<figure><div class=\"scroll\"><table>\n<thead><tr>";
  for (const Column& c : table.columns) {
    const auto better = options.better.find(c.name);
    cells.push_back(display_cells(c));
    marks.push_back(better == options.better.end() ? std::vector<Rank>(c.rows(), Rank::kNone)
                                                   : ranks(c, better->second));
    body_ += table_head(c, options);
  }
  body_ += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < table.rows(); ++r) {
    body_ += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i)
      body_ += table_cell(table.columns[i], cells[i].at(r), marks[i].at(r));
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>";
  if (!options.caption.empty()) body_ += tagged("figcaption", options.caption);
  body_ += "</figure>\n";
}

void HtmlPage::chart(const std::string& svg, const std::string& caption) {
  body_ += "<figure><div class=\"chart\">" + svg + "</div>";
  if (!caption.empty()) body_ += tagged("figcaption", caption);
  body_ += "</figure>\n";
}

void HtmlPage::images(const ImageGrid& grid, const std::string& caption) {
  require_rectangular(grid);
  body_ += "<figure><div class=\"images\"><table>\n<thead><tr><th></th>";
  for (const std::string& c : grid.columns) body_ += tagged("th", c);
  body_ += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < grid.rows.size(); ++r) {
    body_ += "<tr>" + tagged("th class=\"row\"", grid.rows[r]);
    for (size_t c = 0; c < grid.columns.size(); ++c) {
      body_ += "<td>" + picture(grid.cells[r][c], grid.rows[r] + ", " + grid.columns[c]);
      if (!grid.captions.empty()) body_ += tagged("span", grid.captions[r][c]);
      body_ += "</td>";
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>";
  if (!caption.empty()) body_ += tagged("figcaption", caption);
  body_ += "</figure>\n";
}

void HtmlPage::code(const std::string& title, const std::string& text) {
  body_ += "<details>" + tagged("summary", title) + tagged("pre", text) + "</details>\n";
}

std::string HtmlPage::finish() const {
  return concat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n",
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
                tagged("title", title_), "\n<style>", kStyleSheet,
                "</style>\n</head>\n<body>\n<main>\n<header>", tagged("h1", title_),
                tagged("p class=\"subtitle\"", subtitle_), "</header>\n", "<nav>\n", contents_, "</nav>\n",
                body_, "</main>\n</body>\n</html>\n");
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
