#include <cmath>

#include "core/base/error.h"
#include "experiments/report/html.h"
#include "experiments/report/html_elements.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

void require_equal_sizes(const HeatMaps& maps) {
  SVDLAB_REQUIRE(!maps.choices.empty(), Errc::kConfig, "no ", maps.what, " to choose a heat map from");
  for (const HeatMaps::Choice& c : maps.choices)
    SVDLAB_REQUIRE(c.values.size() == maps.rows.size() * maps.columns.size(), Errc::kConfig, "heat map ",
                   c.name, " has ", c.values.size(), " values for ", maps.rows.size(), " x ",
                   maps.columns.size(), " cells");
}

Range shared_range(const HeatMaps& maps, bool log) {
  Range range;
  for (const HeatMaps::Choice& c : maps.choices) range.add(c.values, log);
  return range;
}

std::string value_list(const std::vector<double>& values) {
  std::string out;
  for (size_t i = 0; i < values.size(); ++i)
    out += (i ? "," : "") + (std::isfinite(values[i]) ? short_number(values[i]) : "");
  return out;
}

std::string option_list(const HeatMaps& maps) {
  std::string out, group;
  for (const HeatMaps::Choice& c : maps.choices) {
    if (c.group != group) {
      if (!group.empty()) out += "</optgroup>\n";
      if (!c.group.empty()) out += "<optgroup label=\"" + escaped(c.group) + "\">\n";
      group = c.group;
    }
    out += concat("<option data-m=\"", c.marked, "\" data-v=\"", value_list(c.values), "\">", escaped(c.name),
                  "</option>\n");
  }
  return out + (group.empty() ? "" : "</optgroup>\n");
}

std::string controls(const std::string& what, const std::string& options) {
  return "<div class=\"controls\"><label>" + escaped(what) + " <select autocomplete=\"off\">\n" + options +
         "</select></label></div>\n";
}

}  // namespace

void HtmlPage::chart(const std::string& svg, const std::string& caption) {
  body_ += "<figure><div class=\"chart\">" + svg + "</div>" + figure_caption(caption) + "</figure>\n";
}

void HtmlPage::charts(const std::vector<std::pair<std::string, std::string>>& named,
                      const std::string& caption) {
  std::string options, drawings;
  for (const auto& [name, svg] : named) {
    options += tagged("option", name) + "\n";
    drawings += "<div class=\"chart\">" + svg + "</div>\n";
  }
  body_ += "<figure class=\"choice\">" + (named.size() > 1 ? controls("show", options) : "") + drawings +
           figure_caption(caption) + "</figure>\n";
}

void HtmlPage::heat_maps(const HeatMaps& maps, const ChartOptions& options, const std::string& caption) {
  require_equal_sizes(maps);
  const HeatMaps::Choice& first = maps.choices.front();
  const HeatMap shown{.rows = maps.rows,
                      .columns = maps.columns,
                      .values = first.values,
                      .value_label = maps.value_label,
                      .range = shared_range(maps, options.log_y),
                      .marked = first.marked,
                      .sparse = maps.sparse,
                      .one_of_several = true};
  body_ += "<figure class=\"maps\">" + controls(maps.what, option_list(maps)) + "<div class=\"chart\">" +
           heat_map(shown, options) + "</div>" + figure_caption(caption) + "</figure>\n";
}

}  // namespace svdlab::report
