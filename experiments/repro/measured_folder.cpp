#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/base/names.h"
#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/repro/measured.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

void require_known(const std::string& name, const std::vector<std::string>& known, const char* what,
                   const PaperTable& table, const fs::path& path) {
  SVDLAB_REQUIRE(std::find(known.begin(), known.end(), name) != known.end(), Errc::kConfig, path.string(),
                 ": table ", table.name, " has no ", what, " \"", name, "\" there; nearest: \"",
                 nearest(name, known), "\"");
}

template <class Part>
std::vector<std::string> distinct(const PaperTable& table, const std::string& section,
                                  const std::string& column, Part part) {
  std::vector<std::string> out;
  for (const PaperCell& c : table.cells)
    if ((section.empty() || c.section == section) && (column.empty() || c.column == column) &&
        std::find(out.begin(), out.end(), part(c)) == out.end())
      out.push_back(part(c));
  return out;
}

// `svdlab eval` writes infinities as text and null for what is not known.
double json_number(const Value* v, const std::string& path) {
  if (v == nullptr || v->kind == Value::Kind::kNull) return std::nan("");
  if (v->scalar == "inf") return std::numeric_limits<double>::infinity();
  if (v->scalar == "-inf") return -std::numeric_limits<double>::infinity();
  return v->as_number(path);
}

MeasuredRow eval_document(const fs::path& path) {
  const Value document = load_yaml(path.string());
  const Value* metrics = document.find("metrics");
  SVDLAB_REQUIRE(metrics != nullptr && metrics->kind == Value::Kind::kList, Errc::kInput, path.string(),
                 ": no list `metrics`; it must be what svdlab eval --json prints");
  MeasuredRow out{.cell = path.string()};
  for (const Value& m : metrics->items) {
    const Value *name = m.find("metric"), *implementation = m.find("implementation"), *n = m.find("n");
    SVDLAB_REQUIRE(name != nullptr && implementation != nullptr && n != nullptr, Errc::kInput, path.string(),
                   ": a metric without `metric`, `implementation` or `n`; it must be what svdlab eval --json "
                   "prints");
    out.metrics[name->as_text("metric")] = {.interval = {.value = json_number(m.find("value"), "value"),
                                                         .lo = json_number(m.find("lo"), "lo"),
                                                         .hi = json_number(m.find("hi"), "hi"),
                                                         .n = n->as_integer("n")},
                                            .implementation = implementation->as_text("implementation")};
  }
  return out;
}

}  // namespace

MeasuredTable measured_in_folder(const PaperTable& table, const std::string& folder) {
  MeasuredTable out{.origin = "svdlab eval documents in " + folder};
  std::string contents;
  for (const fs::path& s : sorted_entries(folder)) {
    if (!fs::is_directory(s)) continue;
    const std::string section = s.filename().string();
    require_known(section, distinct(table, "", "", [](const PaperCell& c) { return c.section; }), "section",
                  table, s);
    for (const fs::path& c : sorted_entries(s)) {
      if (!fs::is_directory(c)) continue;
      const std::string column = c.filename().string();
      require_known(column, distinct(table, section, "", [](const PaperCell& p) { return p.column; }),
                    "column", table, c);
      for (const fs::path& r : sorted_entries(c)) {
        if (r.extension() != ".json") continue;
        const std::string row = r.stem().string();
        require_known(row, distinct(table, section, column, [](const PaperCell& p) { return p.row; }), "row",
                      table, r);
        out.rows[{section, column, row}] = eval_document(r);
        contents += r.lexically_relative(folder).string() + " " + sha256_file(r.string()) + "\n";
      }
    }
  }
  SVDLAB_REQUIRE(!out.rows.empty(), Errc::kInput, folder,
                 ": no results.h5 and no <section>/<column>/<row>.json of table ", table.name);
  out.fingerprint = sha256(contents);
  for (const PaperCell& c : table.cells)
    out.rows.emplace(MeasuredTable::Key{c.section, c.column, c.row},
                     MeasuredRow{.missing = "no file for this row"});
  return out;
}

}  // namespace svdlab
