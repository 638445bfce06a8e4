#include "experiments/report/canvas.h"

#include <array>

#include "core/base/error.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

constexpr double kTitleHeight = 28;

const char* name_of(Anchor a) {
  return a == Anchor::kStart ? "start" : a == Anchor::kMiddle ? "middle" : "end";
}

std::string closed(const std::string& element, const std::string& tag, const std::string& tooltip) {
  return tooltip.empty() ? element + "/>\n"
                         : element + "><title>" + escaped(tooltip) + "</title></" + tag + ">\n";
}

}  // namespace

std::string series_color(size_t index) {
  static constexpr std::array<const char*, 8> kFallback = {"#3457d5", "#e0651b", "#0f8f83", "#b9317f",
                                                           "#6d8b12", "#7a4fd0", "#c98a00", "#70798a"};
  const size_t i = index % kFallback.size();
  return concat("var(--s", i, ",", kFallback[i], ")");
}

double text_pixels(const std::string& text) {
  return 0.56 * kFontSize * static_cast<double>(text_width(text));
}

std::string px(double v) {
  std::string s = fixed(v, 2);
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s;
}

Canvas::Canvas(double width, double height, const std::string& title) {
  const double head = title.empty() ? 0 : kTitleHeight;
  out_ = concat("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"", escaped(title),
                "\" viewBox=\"0 ", px(-head), " ", px(width), " ", px(height + head), "\" width=\"",
                px(width), "\" height=\"", px(height + head),
                "\" font-family=\"var(--sans,system-ui,sans-serif)\" font-size=\"", px(kFontSize), "\">\n");
  if (!title.empty())
    text(0, 14 - head, Anchor::kStart, title, concat("fill:", kInk, ";font-size:13.5px;font-weight:600"));
}

void Canvas::line(double x1, double y1, double x2, double y2, const std::string& style) {
  out_ += concat("<line x1=\"", px(x1), "\" y1=\"", px(y1), "\" x2=\"", px(x2), "\" y2=\"", px(y2),
                 "\" style=\"", style, "\"/>\n");
}

void Canvas::rect(double x, double y, double width, double height, const std::string& style,
                  const std::string& tooltip, double radius) {
  const std::string round = radius > 0 ? concat("\" rx=\"", px(radius)) : "";
  out_ += closed(concat("<rect x=\"", px(x), "\" y=\"", px(y), "\" width=\"", px(width), "\" height=\"",
                        px(height), round, "\" style=\"", style, "\""),
                 "rect", tooltip);
}

void Canvas::path(const std::string& data, const std::string& style, const std::string& tooltip) {
  out_ += closed(concat("<path d=\"", data, "\" style=\"", style, "\""), "path", tooltip);
}

void Canvas::text(double x, double y, Anchor anchor, const std::string& content, const std::string& style,
                  double angle) {
  const std::string turned =
      angle == 0 ? "" : concat(" transform=\"rotate(", px(angle), " ", px(x), " ", px(y), ")\"");
  out_ += concat("<text x=\"", px(x), "\" y=\"", px(y), "\" text-anchor=\"", name_of(anchor), "\"", turned,
                 " style=\"", style.empty() ? concat("fill:", kMuted) : style, "\">", escaped(content),
                 "</text>\n");
}

void Canvas::open_group(const std::string& attributes) { out_ += concat("<g ", attributes, ">\n"); }

void Canvas::close_group() { out_ += "</g>\n"; }

std::string Canvas::finish() { return out_ + "</svg>\n"; }

std::string marker_path(size_t index, double x, double y, double radius) {
  const auto at = [&](double dx, double dy) { return px(x + dx * radius) + " " + px(y + dy * radius); };
  const std::string r = px(radius);
  switch (index % 4) {
    case 0:
      return concat("M", at(-1, 0), "a", r, " ", r, " 0 1 0 ", px(2 * radius), " 0a", r, " ", r, " 0 1 0 ",
                    px(-2 * radius), " 0Z");
    case 1:
      return concat("M", at(-0.9, -0.9), "L", at(0.9, -0.9), "L", at(0.9, 0.9), "L", at(-0.9, 0.9), "Z");
    case 2:
      return concat("M", at(0, -1.3), "L", at(1.3, 0), "L", at(0, 1.3), "L", at(-1.3, 0), "Z");
    default:
      return concat("M", at(0, -1.25), "L", at(1.15, 0.85), "L", at(-1.15, 0.85), "Z");
  }
}

}  // namespace svdlab::report
