#include "experiments/methods/catalogue.h"

#include <gtest/gtest.h>

#include <set>

#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

TEST(RelatedMethods, EveryNumberOnceWithPaperAndWords) {
  std::set<std::string> names, papers;
  int number = 0;
  for (const RelatedMethod& m : related_methods()) {
    SCOPED_TRACE(m.name);
    EXPECT_EQ(m.number, ++number);
    EXPECT_TRUE(names.insert(m.name).second);
    EXPECT_TRUE(papers.insert(m.paper).second) << m.paper;
    EXPECT_EQ(m.paper.size(), 10u);
    EXPECT_EQ(m.paper.find('.'), 4u);
    EXPECT_FALSE(m.slot.empty());
    EXPECT_FALSE(m.what.empty());
    for (const std::string& text : {m.name, m.slot, m.what, m.scope})
      EXPECT_EQ(text.find_first_of("|\n"), std::string::npos) << "breaks the table: " << text;
  }
  EXPECT_EQ(number, 56);
}

TEST(RelatedMethods, EveryHandleOfARowNamesSomethingThatCanBeBuilt) {
  int works = 0;
  for (const RelatedMethod& m : related_methods())
    for (const MethodHandle& handle : m.handles) {
      EXPECT_NO_THROW(check_handle(handle)) << m.name << ": " << handle.kind << ' ' << handle.name;
      works += m.state() == MethodState::kWorks;
    }
  EXPECT_GT(works, 2);
}

TEST(RelatedMethods, AHandleThatNamesNothingIsRefused) {
  for (const char* kind : {"preset", "transform", "driver", "solver", "objective", "weights", "scheme",
                           "activations", "branch", "analysis", "calibration", "recipe", "nonsense"})
    EXPECT_TRUE(testing::throws_error(
        [&] {
          check_handle({kind, "nothing-of-the-kind"});
        },
        Errc::kConfig))
        << kind;
}

TEST(RelatedMethods, StateFollowsFromTheHandles) {
  RelatedMethod m{.name = "a"};
  EXPECT_EQ(to_string(m.state()), "planned");
  EXPECT_EQ(m.reached_by(), "");
  m.handles = {{"preset", "x"}, {"preset", "y"}, {"objective", "z"}};
  EXPECT_EQ(to_string(m.state()), "works");
  EXPECT_EQ(m.reached_by(), "preset x, y; objective z");
  m.simulation = true;
  EXPECT_EQ(to_string(m.state()), "simulation");
}

TEST(RelatedMethods, TheReadmeShowsThem) {
  const std::string readme = read_file(SVDLAB_SOURCE_DIR "/README.md");
  const std::string begin = "<!-- methods -->\n", end = "<!-- /methods -->";
  const size_t from = readme.find(begin), to = readme.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(readme.substr(from + begin.size(), to - from - begin.size()), related_methods_markdown())
      << "put the output of `svdlab list methods --markdown` between the markers";
}

}  // namespace
}  // namespace svdlab
