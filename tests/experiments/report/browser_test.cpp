// The report as a browser shows it.
#include "tests/experiments/report/browser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "core/io/png.h"
#include "experiments/report/axis.h"
#include "experiments/report/text.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/cell_file.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_page.h"
#include "tests/support/support.h"

namespace svdlab::report {
namespace {

constexpr int kItems = 5;

/// A page of the shipped results, with pictures and a smoothing search made up here.
class InTheBrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (chromium().empty()) GTEST_SKIP() << "chromium";
    results_ = load_results(SVDLAB_SOURCE_DIR "/notebooks_data/results/components.h5");
    paint("reference/16-bit", 0);
    int shade = 0;
    for (const std::string& cell : texts(results_.table("/cells"), "cell"))
      paint("samples/" + cell_slug(cell, ""), ++shade);
    add_search();
    write_file(dir_.file("report.html"), report_page(dir_.path(), results_));
  }

  void paint(const std::string& folder, int shade) const {
    const std::vector<std::string>& items = texts(results_.table("/samples"), "item");
    make_directories(dir_.file(folder));
    for (int i = 0; i < kItems; ++i) {
      Image image{8, 8, {}};
      for (int k = 0; k < 8 * 8 * 3; ++k) image.rgb.push_back(static_cast<uint8_t>(7 * k + 40 * i + shade));
      write_png(dir_.file(folder + "/" + items[static_cast<size_t>(i)] + ".png"), image);
    }
  }

  void add_search() {
    std::erase_if(results_.tables, [](const Table& t) { return t.name == "/search"; });
    Table t{"/search",
            {text_column("cell"), text_column("group"), number_column("alpha"), number_column("beta"),
             number_column("error"), integer_column("chosen")}};
    for (const char* group : {"g0", "g1"})
      for (int k = 1; k < 10; ++k)
        for (const double beta : {0.0, 1 - k / 10.0}) {
          texts(t, "cell").push_back("int4/svdquant");
          texts(t, "group").push_back(group);
          numbers(t, "alpha").push_back(k / 10.0);
          numbers(t, "beta").push_back(beta);
          numbers(t, "error").push_back(1 + beta + (k - 4) * (k - 4) / 10.0);
          integers(t, "chosen").push_back(k == 4 && beta == 0);
        }
    results_.tables.push_back(std::move(t));
  }

  /// Loads a copy of the page that ends with `script`; what the script returns is in the element #said.
  Browser::Page with_script(const std::string& script) const {
    std::string page = read_file(dir_.file("report.html"));
    const std::string more =
        "<pre id=\"said\"></pre><script>document.getElementById('said').textContent = (() => {" + script +
        "})();</script>";
    page.insert(page.rfind("</body>"), more);
    write_file(dir_.file("scripted.html"), page);
    return Browser(dir_.path()).load(dir_.file("scripted.html"));
  }

  const Table& cells() const { return results_.table("/cells"); }

  testing::TempDir dir_;
  ResultFile results_;
};

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  std::vector<std::string> out;
  const std::regex expression(pattern);
  for (std::sregex_iterator i(text.begin(), text.end(), expression), end; i != end; ++i)
    out.push_back((*i)[1]);
  return out;
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t at = text.find(begin);
  if (at == std::string::npos) return "";
  const size_t from = at + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

std::string without_tags(const std::string& html) {
  return std::regex_replace(html, std::regex("<[^>]*>"), "");
}

/// `shown` is `v` rounded to the decimals that it shows.
void expect_rounded(const std::string& shown, double v) {
  const size_t point = shown.find('.');
  const double half =
      0.5 * std::pow(10.0, point == std::string::npos ? 0.0 : -double(shown.size() - point - 1));
  EXPECT_TRUE(std::abs(std::stod(shown) - v) <= half * (1 + 1e-9)) << shown << " for " << v;
}

TEST_F(InTheBrowser, NumbersAreThoseOfTheResultsAndNothingComplains) {
  const Browser::Page page = Browser(dir_.path()).load(dir_.file("report.html"));
  EXPECT_EQ(page.console, std::vector<std::string>());
  EXPECT_EQ(std::regex_replace(page.dom, std::regex("http://www\\.w3\\.org/2000/svg"), "").find("http"),
            std::string::npos);
  int rows = 0;
  for (size_t i = 0; i < cells().rows(); ++i) {
    if (texts(cells(), "status")[i] != "ok") continue;
    const std::string& cell = texts(cells(), "cell")[i];
    const std::string row = between(page.dom, "<tr><td>" + cell + "</td>", "</tr>");
    const auto exact = matches(row, "data-v=\"([^\"]*)\""),
               shown = matches(row, "data-v=\"[^\"]*\"[^>]*>(.*?)</td>");
    const std::vector<double> stored = {numbers(cells(), "bits_per_weight")[i],
                                        numbers(cells(), "output_sqnr_db")[i], numbers(cells(), "psnr_db")[i],
                                        numbers(cells(), "ssim")[i],
                                        static_cast<double>(integers(cells(), "n")[i])};
    ASSERT_EQ(exact.size(), stored.size()) << cell;
    for (size_t k = 0; k < stored.size(); ++k) {
      EXPECT_EQ(std::stod(exact[k]), stored[k]) << cell;
      expect_rounded(without_tags(shown[k]), stored[k]);
    }
    const std::string tip =
        concat(cell, ": ", short_number(stored[0]), " bits per weight, ", short_number(stored[2]), " [",
               short_number(numbers(cells(), "psnr_lo_db")[i]), ", ",
               short_number(numbers(cells(), "psnr_hi_db")[i]), "] PSNR (dB)");
    EXPECT_NE(page.dom.find(tip), std::string::npos) << tip;
    ++rows;
  }
  EXPECT_GE(rows, 4);
}

TEST_F(InTheBrowser, HeatMapsHoldTheValuesOfEveryCell) {
  const std::string page = read_file(dir_.file("report.html"));
  const Table& steps = results_.table("/layer_steps");
  int maps = 0;
  for (const std::string& list : matches(page, "<option data-m=\"-1\" (data-v=\"[^\"]*\">[^<]*)</option>")) {
    const std::string cell = list.substr(list.find('>') + 1);
    const std::vector<size_t> rows = rows_where(steps, "cell", cell);
    if (rows.empty()) continue;  // of the search
    std::istringstream values(between(list, "data-v=\"", "\""));
    for (const size_t row : rows) {  // stored layer by layer, step by step, as the map has them
      std::string value = "";
      do ASSERT_TRUE(std::getline(values, value, ',')) << cell;
      while (value.empty());
      EXPECT_EQ(value, short_number(numbers(steps, "output_sqnr_db")[row])) << cell << " row " << row;
    }
    ++maps;
  }
  EXPECT_GE(maps, 4);
}

TEST_F(InTheBrowser, ScriptsSortColourAndCompare) {
  const Browser::Page page = with_script(R"js(
    const said = [], say = (name, value) => said.push(`${name}=${value};`);
    const table = document.querySelector('table.sortable'), heads = Array.from(table.tHead.rows[0].cells);
    const column = heads.findIndex(h => h.textContent.startsWith('PSNR'));
    const values = () => Array.from(table.tBodies[0].rows, r => Number(r.cells[column].dataset.v));
    const sorted = (v, sign) => v.every((x, i) => i === 0 || sign * (v[i - 1] - x) >= 0);
    const before = values().join(), press = c => heads[c].querySelector('button').click();
    say('unsorted', sorted(values(), 1) || sorted(values(), -1));
    press(column); say('falling', sorted(values(), 1) + heads[column].getAttribute('aria-sort'));
    press(column); say('rising', sorted(values(), -1) + heads[column].getAttribute('aria-sort'));
    press(column); say('restored', (values().join() === before) + String(heads[column].getAttribute('aria-sort')));
    press(0); const names = Array.from(table.tBodies[0].rows, r => r.cells[0].textContent);
    say('names', names.every((x, i) => i === 0 || names[i - 1].localeCompare(x, undefined, {numeric: true}) < 1));
    heads[0].querySelector('button').focus(); say('keyboard', document.activeElement.tagName);

    const change = (select, index) => { select.selectedIndex = index; select.dispatchEvent(new Event('change')); };
    const map = document.querySelector('figure.maps'), list = map.querySelector('select');
    const fills = () => Array.from(map.querySelectorAll('g[data-stops] rect'), r => getComputedStyle(r).fill).join();
    const first = fills();
    change(list, 1); say('recoloured', fills() !== first);
    say('tip', map.querySelector('g rect title').textContent.endsWith(': ' + list.selectedOptions[0].dataset.v.split(',')[0]));
    change(list, 0); say('again', fills() === first);

    const search = document.querySelectorAll('figure.maps')[1], groups = search.querySelector('select');
    const framed = () => Array.from(search.querySelectorAll('g[data-stops] rect'))
        .filter(r => !['', 'none'].includes(r.style.stroke)).map(r => r.textContent).join();
    change(groups, 1); say('chosen', framed());

    const choice = document.querySelector('figure.choice'), charts = () => Array.from(choice.querySelectorAll('.chart'), c => c.hidden);
    change(choice.querySelector('select'), 1); say('charts', charts().map(h => h ? 0 : 1).join(''));

    const compare = document.querySelector('figure.compare'), images = compare.querySelectorAll('img');
    const [items, cells] = compare.querySelectorAll('select');
    say('cells', cells.options.length); say('items', items.options.length);
    change(items, 2); change(cells, 3);
    const grid = document.querySelector('table.grid').tBodies[0].rows[2].cells;
    say('pictures', images[0].src === grid[1].querySelector('img').src && images[1].src === grid[5].querySelector('img').src
        && images[2].src === images[0].src && images[3].src === images[1].src && images[0].src !== images[1].src);
    const gain = compare.querySelector('input'); gain.value = 9; gain.dispatchEvent(new Event('input'));
    say('gain', compare.querySelector('output').textContent + getComputedStyle(compare.querySelector('.difference')).filter);
    console.error('the test reads the console');
    return said.join('');
  )js");
  const std::string said = between(page.dom, "<pre id=\"said\">", "</pre>");
  int sampled = 0;
  for (const std::string& status : texts(cells(), "status")) sampled += status == "ok";
  for (const std::string& part :
       {std::string("unsorted=false;"), std::string("falling=truedescending;"),
        std::string("rising=trueascending;"), std::string("restored=truenull;"), std::string("names=true;"),
        std::string("keyboard=BUTTON;"), std::string("recoloured=true;"), std::string("tip=true;"),
        std::string("again=true;"), std::string("chosen=0 · 0.4: 1;"), concat("cells=", sampled, ";"),
        concat("items=", kItems, ";"), std::string("pictures=true;"), std::string("gain=9brightness(9);")})
    EXPECT_NE(said.find(part), std::string::npos) << part << "\nsaid: " << said;
  EXPECT_EQ(matches(said, "charts=(0*10*);").size(), 1u) << said;
  ASSERT_EQ(page.console.size(), 1u);
  EXPECT_NE(page.console[0].find("the test reads the console"), std::string::npos);
}

double brightness(const std::string& png) {
  const Image image = read_png(png);
  double sum = 0;
  for (const uint8_t v : image.rgb) sum += v;
  return sum / static_cast<double>(image.rgb.size());
}

TEST_F(InTheBrowser, IsLightAndDarkAsAsked) {
  const Browser browser(dir_.path());
  browser.screenshot(dir_.file("report.html"), Browser::Scheme::kLight, dir_.file("light.png"));
  browser.screenshot(dir_.file("report.html"), Browser::Scheme::kDark, dir_.file("dark.png"));
  EXPECT_GT(brightness(dir_.file("light.png")), 200);
  EXPECT_LT(brightness(dir_.file("dark.png")), 80);
}

}  // namespace
}  // namespace svdlab::report
