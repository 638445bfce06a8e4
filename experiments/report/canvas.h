#pragma once
#include <string>

namespace svdlab::report {

inline constexpr const char* kInk = "var(--ink,#1c2430)";
inline constexpr const char* kMuted = "var(--muted,#5f6b7a)";
inline constexpr const char* kGrid = "var(--grid,#e3e7ed)";
inline constexpr double kFontSize = 11.5;

/// Colour of series `index`; repeats after 8.
std::string series_color(size_t index);

/// About how wide `text` is at the size charts use, in pixels.
double text_pixels(const std::string& text);

enum class Anchor { kStart, kMiddle, kEnd };

/// Writes the elements of one SVG. Coordinates are pixels, y downwards; styles are CSS declarations.
class Canvas {
 public:
  /// A title stands above the drawing, outside its coordinates.
  Canvas(double width, double height, const std::string& title);

  void line(double x1, double y1, double x2, double y2, const std::string& style);
  void rect(double x, double y, double width, double height, const std::string& style,
            const std::string& tooltip = "", double radius = 0);
  void path(const std::string& data, const std::string& style, const std::string& tooltip = "");
  /// `angle` turns the text about its anchor, in degrees.
  void text(double x, double y, Anchor anchor, const std::string& content, const std::string& style = "",
            double angle = 0);
  /// What is drawn until close_group() belongs to one element with these attributes, already escaped.
  void open_group(const std::string& attributes);
  void close_group();
  std::string finish();

 private:
  std::string out_;
};

/// Coordinate with at most two decimals.
std::string px(double v);

/// Marker of series `index` (disc, square, diamond, triangle, ...) centred at (x, y): colour is never the
/// only key.
std::string marker_path(size_t index, double x, double y, double radius);

}  // namespace svdlab::report
