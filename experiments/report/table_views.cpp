#include "experiments/report/table_views.h"

#include <algorithm>

#include "core/base/error.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

bool is_number(const Column& c) { return c.values.index() != 2; }

// What a view needs of a table, as text.
struct Cells {
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> columns;
  std::vector<std::vector<Rank>> ranks;
};

Cells cells_of(const Table& table, const ViewOptions& options) {
  for (const auto& [name, unused] : options.better)
    table.column(name);  // an unknown name is an error, not a no-op
  Cells out;
  for (const Column& c : table.columns) {
    SVDLAB_REQUIRE(c.rows() == table.rows(), Errc::kInput, "table ", table.name, ": column ", c.name, " has ",
                   c.rows(), " rows, the first column ", table.rows());
    const auto better = options.better.find(c.name);
    const bool ranked = better != options.better.end();
    const std::string arrow = !ranked ? "" : better->second == Better::kHigher ? " ↑" : " ↓";
    out.heads.push_back(c.name + (c.unit.empty() ? "" : " (" + c.unit + ")") + arrow);
    out.columns.push_back(display_cells(c));
    out.ranks.push_back(ranked ? ranks(c, better->second) : std::vector<Rank>(c.rows(), Rank::kNone));
  }
  return out;
}

std::string csv_field(const std::string& s) {
  if (s.find_first_of(",\"\r\n") == std::string::npos) return s;
  std::string out = "\"";
  for (const char c : s) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string csv_cell(const Column& c, size_t row) {
  if (const auto* texts = std::get_if<2>(&c.values)) return csv_field((*texts)[row]);
  if (const auto* integers = std::get_if<0>(&c.values)) return std::to_string((*integers)[row]);
  return shortest(std::get<1>(c.values)[row]);
}

std::string padded(const std::string& s, size_t width, bool to_the_right) {
  const std::string space(width - std::min(width, text_width(s)), ' ');
  return to_the_right ? space + s : s + space;
}

std::string replaced(std::string s, char from, const std::string& to) {
  std::string out;
  for (const char c : s) out += c == from ? to : std::string(1, c);
  return out;
}

std::string markdown_cell(const std::string& s, Rank rank) {
  const std::string safe = replaced(replaced(s, '|', "\\|"), '\n', "<br>");
  return rank == Rank::kBest ? "**" + safe + "**" : rank == Rank::kSecond ? "<u>" + safe + "</u>" : safe;
}

std::string latex_escaped(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (std::string_view("&%$#_{}").find(c) != std::string_view::npos)
      out += std::string("\\") + c;
    else if (c == '\\')
      out += "\\textbackslash{}";
    else if (c == '~')
      out += "\\textasciitilde{}";
    else if (c == '^')
      out += "\\textasciicircum{}";
    else
      out += c;
  }
  for (const auto& [sign, command] : {std::pair{"↑", "$\\uparrow$"}, {"↓", "$\\downarrow$"}})
    for (size_t at; (at = out.find(sign)) != std::string::npos;)
      out.replace(at, std::string(sign).size(), command);
  return out;
}

std::string latex_cell(const std::string& s, bool number, Rank rank) {
  if (number && s == "nan") return "--";
  if (number && s.ends_with("inf")) return s[0] == '-' ? "$-\\infty$" : "$\\infty$";
  const size_t e = s.find('e');
  std::string body = latex_escaped(s);
  if (number && e != std::string::npos)
    body = concat("$", s.substr(0, e), " \\times 10^{", std::stoi(s.substr(e + 1)), "}$");
  else if (number && s[0] == '-')
    body = "$" + s + "$";
  return rank == Rank::kBest     ? "\\textbf{" + body + "}"
         : rank == Rank::kSecond ? "\\underline{" + body + "}"
                                 : body;
}

}  // namespace

std::string to_csv(const Table& table) {
  cells_of(table, {});  // refuses columns of unequal length
  std::string out;
  for (size_t i = 0; i < table.columns.size(); ++i) out += (i ? "," : "") + csv_field(table.columns[i].name);
  out += "\r\n";
  for (size_t r = 0; r < table.rows(); ++r) {
    for (size_t i = 0; i < table.columns.size(); ++i) out += (i ? "," : "") + csv_cell(table.columns[i], r);
    out += "\r\n";
  }
  return out;
}

std::string to_markdown(const Table& table, const ViewOptions& options) {
  const Cells cells = cells_of(table, options);
  std::string out = options.caption.empty() ? "" : options.caption + "\n\n", rule = "|";
  out += "|";
  for (size_t i = 0; i < table.columns.size(); ++i) {
    out += " " + markdown_cell(cells.heads[i], Rank::kNone) + " |";
    rule += is_number(table.columns[i]) ? " ---: |" : " :--- |";
  }
  out += "\n" + rule + "\n";
  for (size_t r = 0; r < table.rows(); ++r) {
    out += "|";
    for (size_t i = 0; i < table.columns.size(); ++i)
      out += " " + markdown_cell(cells.columns[i][r], cells.ranks[i][r]) + " |";
    out += "\n";
  }
  return out;
}

std::string to_latex(const Table& table, const ViewOptions& options) {
  const Cells cells = cells_of(table, options);
  std::string align, head, body;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    align += is_number(table.columns[i]) ? 'r' : 'l';
    head += (i ? " & " : "") + latex_escaped(cells.heads[i]);
  }
  for (size_t r = 0; r < table.rows(); ++r) {
    for (size_t i = 0; i < table.columns.size(); ++i)
      body +=
          (i ? " & " : "") + latex_cell(cells.columns[i][r], is_number(table.columns[i]), cells.ranks[i][r]);
    body += " \\\\\n";
  }
  const std::string tabular = concat("\\begin{tabular}{", align, "}\n\\toprule\n", head, " \\\\\n\\midrule\n",
                                     body, "\\bottomrule\n\\end{tabular}\n");
  if (options.caption.empty()) return tabular;
  return concat("\\begin{table}[t]\n\\centering\n\\caption{", latex_escaped(options.caption), "}\n", tabular,
                "\\end{table}\n");
}

std::string to_terminal(const Table& table, const ViewOptions& options) {
  const Cells cells = cells_of(table, options);
  std::string out = options.caption.empty() ? "" : options.caption + "\n", head, rule;
  std::vector<size_t> widths;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    size_t width = text_width(cells.heads[i]);
    for (const std::string& c : cells.columns[i]) width = std::max(width, text_width(c));
    widths.push_back(width);
    head += (i ? "  " : "") + padded(cells.heads[i], width, is_number(table.columns[i]));
    for (size_t k = 0; k < width + (i ? 2 : 0); ++k) rule += "─";
  }
  const auto without_trailing = [](std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
  };
  out += without_trailing(head) + rule + "\n";
  for (size_t r = 0; r < table.rows(); ++r) {
    std::string line;
    for (size_t i = 0; i < table.columns.size(); ++i)
      line += (i ? "  " : "") + padded(cells.columns[i][r], widths[i], is_number(table.columns[i]));
    out += without_trailing(line);
  }
  return out;
}

}  // namespace svdlab::report
