#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/png.h"
#include "experiments/report/text.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_charts.h"

namespace svdlab {
namespace {

constexpr size_t kMostItems = 5, kFewestItems = 2;
constexpr size_t kColumns = 5;        // cells side by side, at most
constexpr int kWidest = 192;          // pixels; larger pictures are reduced
constexpr int64_t kPixels = 1500000;  // in all pictures of the page, when that leaves kFewestItems

bool all_there(const std::vector<std::string>& files) {
  return std::all_of(files.begin(), files.end(),
                     [](const std::string& f) { return std::filesystem::exists(f); });
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

/// A cell whose pictures are all there.
struct Shown {
  std::string cell;
  std::vector<std::string> files;
};

/// Cells that share one 16-bit run.
struct Wall {
  std::string name;
  Gallery gallery;
  std::vector<std::string> reference;
  std::vector<Shown> cells;
};

size_t item_count(const Table& cells, const std::string& picture) {
  const Image image = report::reduced(read_png(picture), kWidest);
  const int64_t pixels = int64_t{image.width} * image.height * static_cast<int64_t>(cells.rows());
  return static_cast<size_t>(
      std::clamp<int64_t>(kPixels / std::max<int64_t>(pixels, 1), kFewestItems, kMostItems));
}

Wall wall_of(const std::string& folder, const ResultFile& results, const std::string& scheme,
             const std::vector<size_t>& rows) {
  const Table &cells = results.table("/cells"), &samples = results.table("/samples");
  const std::string& dial = texts(cells, "outliers")[rows.front()];
  const std::string reference = "reference/16-bit" + (dial.empty() ? "" : "+" + dial);
  Wall out{scheme, {folder, {}}, {}, {}};
  for (const size_t row : rows_where(samples, "cell", texts(cells, "cell")[rows.front()]))
    if (out.gallery.items.size() < kMostItems) out.gallery.items.push_back(texts(samples, "item")[row]);
  if (out.gallery.items.empty() || !all_there(out.gallery.files(reference))) return out;
  const size_t items = item_count(cells, out.gallery.files(reference).front());
  out.gallery.items.resize(std::min(items, out.gallery.items.size()));
  out.reference = out.gallery.files(reference);
  for (const size_t row : rows) {
    const std::string& cell = texts(cells, "cell")[row];
    Shown shown{cell, out.gallery.files("samples/" + cell_slug(cell, dial))};
    if (all_there(shown.files)) out.cells.push_back(std::move(shown));
  }
  return out;
}

std::string psnr_text(const Table& samples, const std::string& cell, const std::string& item) {
  for (const size_t row : rows_where(samples, "cell", cell))
    if (texts(samples, "item")[row] == item)
      return report::fixed(numbers(samples, "psnr_db")[row], 2) + " dB";
  return "";
}

Image picture_of(const std::string& file) { return report::reduced(read_png(file), kWidest); }

void add_grid(report::HtmlPage& page, const Wall& wall, size_t begin, size_t end, const Table& samples) {
  report::ImageGrid grid{.name = wall.name, .columns = {"16-bit"}, .rows = wall.gallery.items};
  for (size_t c = begin; c < end; ++c) grid.columns.push_back(wall.cells[c].cell);
  for (size_t item = 0; item < wall.gallery.items.size(); ++item) {
    grid.cells.push_back({picture_of(wall.reference[item])});
    grid.captions.push_back({""});
    for (size_t c = begin; c < end; ++c) {
      grid.cells.back().push_back(picture_of(wall.cells[c].files[item]));
      grid.captions.back().push_back(psnr_text(samples, wall.cells[c].cell, wall.gallery.items[item]));
    }
  }
  page.images(grid, wall.name +
                        ": the 16-bit run and the quantized models from the same noise, with the PSNR of "
                        "each picture from /samples.");
}

}  // namespace

void add_pictures(report::HtmlPage& page, const std::string& folder, const ResultFile& results) {
  const Table &cells = results.table("/cells"), &samples = results.table("/samples");
  bool opened = false, fold_open = true;
  for (const auto& [scheme, rows] : cells_by_chart(cells)) {
    const Wall wall = wall_of(folder, results, scheme, rows);
    if (wall.cells.empty()) continue;
    if (!opened) {
      page.section("Pictures");
      page.comparison(
          picture_of(wall.reference.front()), picture_of(wall.cells.front().files.front()),
          concat("Pictures of the first items, at most ", kWidest,
                 " pixels wide here; all are in the run's folders reference/ and samples/. A click on a "
                 "picture below brings it up here."));
    }
    opened = true;
    page.begin_fold("All cells of " + wall.name, fold_open);
    fold_open = false;
    const size_t grids = (wall.cells.size() + kColumns - 1) / kColumns;  // of about equal width
    for (size_t g = 0; g < grids; ++g)
      add_grid(page, wall, g * wall.cells.size() / grids, (g + 1) * wall.cells.size() / grids, samples);
    page.end_fold();
  }
}

}  // namespace svdlab
