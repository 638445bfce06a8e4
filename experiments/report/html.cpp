#include "experiments/report/html.h"

#include <cmath>

#include "core/base/error.h"
#include "experiments/report/html_elements.h"
#include "experiments/report/html_script.h"
#include "experiments/report/html_style.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

std::string marked(const std::string& text, Rank rank) {
  return rank == Rank::kBest ? tagged("b", text) : rank == Rank::kSecond ? tagged("u", text) : escaped(text);
}

std::string table_head(const Column& c, const ViewOptions& options) {
  const auto better = options.better.find(c.name);
  std::string out = c.values.index() == 2 ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"n\">";
  out += "<button type=\"button\" title=\"sort\">" + escaped(c.name);
  if (!c.unit.empty()) out += " " + tagged("i", c.unit);
  if (better != options.better.end())
    out += better->second == Better::kHigher ? " <i title=\"higher is better\">↑</i>"
                                             : " <i title=\"lower is better\">↓</i>";
  return out + "</button></th>";
}

// A number as scripts read it.
std::string script_number(double v) {
  return std::isnan(v) ? "NaN" : std::isinf(v) ? (v > 0 ? "Infinity" : "-Infinity") : shortest(v);
}

std::string table_cell(const Column& c, size_t row, const std::string& text, Rank rank) {
  if (c.values.index() == 2) return tagged("td", text);
  const auto* doubles = std::get_if<std::vector<double>>(&c.values);
  const std::string number = doubles ? script_number((*doubles)[row]) : text;
  const std::string head = concat("<td data-v=\"", number, "\" class=\"n");
  if (text == "nan") return head + " missing\">–</td>";
  std::string shown = text;
  if (text.ends_with("inf")) shown = text[0] == '-' ? "−∞" : "∞";
  return head + "\">" + marked(shown, rank) + "</td>";
}

std::string definitions(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [name, text] : pairs) out += tagged("dt", name) + tagged("dd", text) + "\n";
  return out;
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
  body_ += "<dl class=\"values\">\n" + definitions(facts) + "</dl>\n";
}

void HtmlPage::terms(const std::vector<std::pair<std::string, std::string>>& terms) {
  body_ += "<dl>\n" + definitions(terms) + "</dl>\n";
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
  body_ += "<figure><div class=\"scroll\"><table class=\"sortable\">\n<thead><tr>";
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
      body_ += table_cell(table.columns[i], r, cells[i].at(r), marks[i].at(r));
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>";
  body_ += figure_caption(options.caption);
  body_ += "</figure>\n";
}

void HtmlPage::begin_fold(const std::string& title, bool open) {
  body_ += concat("<details", open ? " open=\"open\">" : ">", tagged("summary", title), "\n");
}

void HtmlPage::end_fold() { body_ += "</details>\n"; }

void HtmlPage::code(const std::string& title, const std::string& text) {
  body_ += "<details>" + tagged("summary", title) + tagged("pre", text) + "</details>\n";
}

std::string HtmlPage::finish() const {
  return concat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n",
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
                tagged("title", title_), "\n<style>", kStyleSheet, "</style>\n</head>\n<body>\n",
                "<nav aria-label=\"Contents\">\n", contents_, "</nav>\n<main>\n<header>",
                tagged("h1", title_), tagged("p class=\"subtitle\"", subtitle_), "</header>\n", body_,
                "</main>\n<script>", kScript, "</script>\n</body>\n</html>\n");
}

}  // namespace svdlab::report
