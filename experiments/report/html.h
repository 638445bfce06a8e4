#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/io/hdf5.h"
#include "core/io/png.h"
#include "experiments/report/svg.h"
#include "experiments/report/table_views.h"

namespace svdlab::report {

enum class Verdict { kPass, kFail, kNote };

/// Pictures in rows: one row per item, one column per method, as a study shows them beside its reference.
struct ImageGrid {
  std::string name;  ///< what the columns have in common, e.g. their scheme
  std::vector<std::string> columns;
  std::vector<std::string> rows;
  std::vector<std::vector<Image>> cells;           ///< [rows][columns]
  std::vector<std::vector<std::string>> captions;  ///< empty, or one per picture
};

/// Heat maps with the same rows and columns, one shown at a time. All share one scale of colours.
struct HeatMaps {
  struct Choice {
    std::string group, name;     ///< choices of one group stand together in the list
    std::vector<double> values;  ///< as in HeatMap
    int64_t marked = -1;
  };
  std::vector<std::string> rows, columns;
  std::string value_label;
  std::string what;  ///< of which there are several, e.g. "cell"
  bool sparse = false;
  std::vector<Choice> choices;
};

/// Assembles one self-contained page: no other files, light and dark, printable. Its script sorts tables and
/// changes what a chart or a comparison shows; without scripts the page still has every number and picture.
/// Every text is escaped; the page is well-formed XML from <html> on.
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
  /// What words mean: term and explanation.
  void terms(const std::vector<std::pair<std::string, std::string>>& terms);
  /// Large numbers at a glance: value and what it is.
  void figures(const std::vector<std::pair<std::string, std::string>>& value_and_label);
  /// Its heads are buttons that sort; numbers stand in full precision in the attribute data-v of their cell.
  void table(const Table& table, const ViewOptions& options = {});
  /// @param svg as returned by line_chart, bar_chart, pareto_chart, heat_map.
  void chart(const std::string& svg, const std::string& caption);
  /// Name and SVG of charts that say the same in different ways; one is shown at a time.
  void charts(const std::vector<std::pair<std::string, std::string>>& named, const std::string& caption);
  /// Throws kConfig when there is no choice or one has another size.
  void heat_maps(const HeatMaps& maps, const ChartOptions& options, const std::string& caption);
  /// Throws kConfig when the grid is not rectangular.
  void images(const ImageGrid& grid, const std::string& caption);
  /// Two pictures, their amplified difference, and one over the other behind a movable edge. At first `a` and
  /// `b`; the lists hold every row and column of the grids of the page, whose first column is taken for `a`.
  void comparison(const Image& a, const Image& b, const std::string& caption);
  /// What is added until end_fold() can be folded away behind its title.
  void begin_fold(const std::string& title, bool open);
  void end_fold();
  /// Preformatted text, e.g. a configuration; folded behind its title.
  void code(const std::string& title, const std::string& text);

  std::string finish() const;

 private:
  std::string title_, subtitle_, contents_, body_;
  int sections_ = 0;
};

/// RFC 4648 base64.
std::string base64(const std::string& bytes);

/// `image` averaged over squares of whole pixels until it is at most `width` wide; its right and lower edge
/// are cut to whole squares.
Image reduced(const Image& image, int width);

/// |a - b| * gain per channel, clipped at 255. Throws kInput on unequal sizes.
Image absolute_difference(const Image& a, const Image& b, int gain);

}  // namespace svdlab::report
