#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/io/hdf5.h"
#include "core/io/png.h"
#include "experiments/report/table_views.h"

namespace svdlab::report {

enum class Verdict { kPass, kFail, kNote };

/// Pictures in rows: one row per item, one column per method, as a study shows them beside its reference.
struct ImageGrid {
  std::vector<std::string> columns;
  std::vector<std::string> rows;
  std::vector<std::vector<Image>> cells;           ///< [rows][columns]
  std::vector<std::vector<std::string>> captions;  ///< empty, or one per picture
};

/// Assembles one self-contained page: no scripts, no other files, light and dark, printable. Every text is
/// escaped; the page is well-formed XML from <html> on.
class HtmlPage {
 public:
  HtmlPage(const std::string& title, const std::string& subtitle);

  /// Starts a section; sections are listed in the contents at the top.
  void section(const std::string& title);
  void paragraph(const std::string& text);
  /// A boxed line: the outcome of a gate, or something to keep in mind.
  void verdict(Verdict verdict, const std::string& text);
  /// Name/value pairs such as versions and hashes.
  void facts(const std::vector<std::pair<std::string, std::string>>& facts);
  /// Large numbers at a glance: value and what it is.
  void figures(const std::vector<std::pair<std::string, std::string>>& value_and_label);
  void table(const Table& table, const ViewOptions& options = {});
  /// @param svg as returned by line_chart, bar_chart, heat_map.
  void chart(const std::string& svg, const std::string& caption);
  /// Throws kConfig when the grid is not rectangular.
  void images(const ImageGrid& grid, const std::string& caption);
  /// Preformatted text, e.g. a configuration; folded behind its title.
  void code(const std::string& title, const std::string& text);

  std::string finish() const;

 private:
  std::string title_, subtitle_, contents_, body_;
  int sections_ = 0;
};

/// RFC 4648 base64.
std::string base64(const std::string& bytes);

/// |a - b| * gain per channel, clipped at 255. Throws kInput on unequal sizes.
Image absolute_difference(const Image& a, const Image& b, int gain);

}  // namespace svdlab::report
