#include <algorithm>
#include <filesystem>

#include "core/io/png.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_charts.h"

namespace svdlab {
namespace {

constexpr size_t kItems = 5;
constexpr size_t kColumns = 6;  // cells side by side
constexpr int kGain = 4;

bool all_there(const std::vector<std::string>& files) {
  return std::all_of(files.begin(), files.end(),
                     [](const std::string& f) { return std::filesystem::exists(f); });
}

/// A cell's name without what the caption says: the dial's tag, and the scheme when all cells have it.
std::string short_name(const std::string& cell, const std::string& dial, const std::string& scheme) {
  const std::string name = cell.substr(0, dial.empty() ? std::string::npos : cell.find("+" + dial));
  return name.rfind(scheme + "/", 0) == 0 ? name.substr(scheme.size() + 1) : name;
}

/// The run's pictures, where they lie.
struct Gallery {
  std::string folder;
  std::vector<std::string> items;

  std::vector<std::string> files(const std::string& sub_folder) const {
    std::vector<std::string> out;
    for (const std::string& item : items) out.push_back(folder + "/" + sub_folder + "/" + item + ".png");
    return out;
  }
};

void add_grids(report::HtmlPage& page, const std::string& scheme, const Gallery& gallery,
               const std::vector<std::string>& reference, const std::vector<std::string>& names,
               const std::vector<std::vector<std::string>>& cells) {
  report::ImageGrid pictures{.columns = {"16-bit"}, .rows = gallery.items},
      differences{.rows = gallery.items};
  pictures.columns.insert(pictures.columns.end(), names.begin(), names.end());
  differences.columns = names;
  for (size_t item = 0; item < gallery.items.size(); ++item) {
    const Image original = read_png(reference[item]);
    pictures.cells.push_back({original});
    differences.cells.emplace_back();
    for (const std::vector<std::string>& files : cells) {
      const Image picture = read_png(files[item]);
      pictures.cells.back().push_back(picture);
      differences.cells.back().push_back(report::absolute_difference(original, picture, kGain));
    }
  }
  page.images(pictures, scheme + ": the 16-bit run and the quantized models from the same noise.");
  page.images(differences, scheme + ": |difference| to the 16-bit picture, amplified " +
                               std::to_string(kGain) + " times.");
}

}  // namespace

void add_pictures(report::HtmlPage& page, const std::string& folder, const ResultFile& results) {
  const Table &cells = results.table("/cells"), &samples = results.table("/samples");
  bool opened = false;
  for (const auto& [scheme, rows] : cells_by_chart(cells)) {
    const std::string& dial = texts(cells, "outliers")[rows.front()];
    Gallery gallery{.folder = folder};
    for (const size_t row : rows_where(samples, "cell", texts(cells, "cell")[rows.front()]))
      if (gallery.items.size() < kItems) gallery.items.push_back(texts(samples, "item")[row]);
    const auto reference = gallery.files("reference/16-bit" + (dial.empty() ? "" : "+" + dial));
    if (gallery.items.empty() || !all_there(reference)) continue;
    std::vector<std::string> names;
    std::vector<std::vector<std::string>> files;
    for (const size_t row : rows) {
      const auto of_cell = gallery.files("samples/" + cell_slug(texts(cells, "cell")[row], dial));
      if (!all_there(of_cell)) continue;
      names.push_back(short_name(texts(cells, "cell")[row], dial, scheme.substr(0, scheme.find(" + "))));
      files.push_back(of_cell);
    }
    if (!opened) page.section("Pictures");
    opened = true;
    for (size_t first = 0; first < names.size(); first += kColumns) {
      const size_t last = std::min(first + kColumns, names.size());
      add_grids(page, scheme, gallery, reference, {names.begin() + first, names.begin() + last},
                {files.begin() + first, files.begin() + last});
    }
  }
}

}  // namespace svdlab
