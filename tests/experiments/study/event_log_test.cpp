#include "experiments/study/event_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <sstream>
#include <thread>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/study/table_rows.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

std::vector<Value> events_of(const std::string& path) {
  std::vector<Value> out;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) out.push_back(parse_yaml(line, path));
  return out;
}

TEST(EventLog, AddsOneObjectALine) {
  const testing::TempDir dir;
  const std::string path = dir.file("events.jsonl");
  for (const char* name : {"first", "second"}) {
    Value fields = Value::map();
    fields.at_or_add("text") = Value::text("two\nlines, \"quoted\"");
    EventLog(path).write(name, fields);
  }
  const std::vector<Value> events = events_of(path);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].find("event")->as_text(""), "second");
  EXPECT_EQ(events[1].find("text")->as_text(""), "two\nlines, \"quoted\"");
  EXPECT_EQ(events[1].find("pid")->as_integer(""), ::getpid());
  EXPECT_LE(seconds_of_utc(events[0].find("time")->as_text("")),
            seconds_of_utc(events[1].find("time")->as_text("")));
}

TEST(EventLog, HalfALineOfAKilledProcessIsCutOff) {
  const testing::TempDir dir;
  const std::string path = dir.file("events.jsonl");
  EventLog(path).write("whole");
  const std::string whole = read_file(path);
  for (const std::string& torn : {whole + "{\"event\":\"to", whole, std::string("{\"ev"), std::string()}) {
    write_file(path, torn);
    EventLog(path).write("next");
    const std::vector<Value> events = events_of(path);
    EXPECT_EQ(events.size(), torn.find(whole) == 0 ? 2u : 1u);
    EXPECT_EQ(events.back().find("event")->as_text(""), "next");
  }
}

TEST(EventLog, ThreadsDoNotMixTheirLines) {
  const testing::TempDir dir;
  const EventLog log(dir.file("events.jsonl"));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) log.write(std::string(200, 'x'));
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(events_of(dir.file("events.jsonl")).size(), 200u);
}

TEST(EventLog, SaysWhatCannotBeWritten) {
  EXPECT_TRUE(
      throws_error([] { EventLog("/nowhere/events.jsonl"); }, Errc::kResource, {"/nowhere/events.jsonl"}));
  const EventLog full("/dev/full");
  EXPECT_TRUE(throws_error([&] { full.write("event"); }, Errc::kResource, {"/dev/full", "No space left"}));
}

TEST(RowFields, LeavesOutWhatJsonDoesNotHave) {
  const Table t{"/t",
                {{"a", "", std::vector<std::string>{"x", ""}},
                 {"n", "", std::vector<int64_t>{3, 4}},
                 {"v", "", std::vector<double>{0.5, std::nan("")}}}};
  EXPECT_EQ(row_fields(t, 0).canonical_json(), R"({"a":"x","n":3,"v":0.5})");
  EXPECT_EQ(row_fields(t, 1).canonical_json(), R"({"n":4})");
}

TEST(SecondsOfUtc, ReadsWhatTheLogWrites) {
  EXPECT_DOUBLE_EQ(seconds_of_utc("1970-01-01T00:00:01.250Z"), 1.25);
  EXPECT_DOUBLE_EQ(seconds_of_utc("2026-01-31T12:00:00.000Z"), 1769860800.0);
  for (const char* bad : {"", "2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z+"})
    EXPECT_TRUE(throws_error([&] { seconds_of_utc(bad); }, Errc::kInput, {"no time"})) << bad;
}

}  // namespace
}  // namespace svdlab
