#include "experiments/study/event_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace svdlab {
namespace {

std::string utc_milliseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = milliseconds / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char day[32], text[48];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03dZ", day, static_cast<int>(milliseconds % 1000));
  return text;
}

// The size of the file up to and with its last line break.
off_t whole_lines(int fd, off_t size) {
  char last = 0;
  while (size > 0 && ::pread(fd, &last, 1, size - 1) == 1 && last != '\n') --size;
  return size;
}

}  // namespace

EventLog::EventLog(const std::string& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  SVDLAB_REQUIRE(fd_ >= 0, Errc::kResource, path, ": cannot be opened: ", std::strerror(errno));
  struct stat facts {};
  if (::fstat(fd_, &facts) != 0 || facts.st_size == 0) return;
  const off_t whole = whole_lines(fd_, facts.st_size);
  if (whole == facts.st_size || ::ftruncate(fd_, whole) == 0) return;
  const int reason = errno;
  ::close(fd_);
  throw Error(Errc::kResource, concat(path, ": cannot be cut to whole lines: ", std::strerror(reason)));
}

EventLog::~EventLog() { ::close(fd_); }

void EventLog::write(const std::string& name, Value fields) const {
  fields.at_or_add("event") = Value::text(name);
  fields.at_or_add("time") = Value::text(utc_milliseconds());
  fields.at_or_add("pid") = Value::integer(::getpid());
  const std::string line = fields.canonical_json() + "\n";
  ssize_t written = 0;
  do written = ::write(fd_, line.data(), line.size());
  while (written < 0 && errno == EINTR);
  SVDLAB_REQUIRE(written == static_cast<ssize_t>(line.size()), Errc::kResource, path_,
                 ": cannot be written: ", written < 0 ? std::strerror(errno) : "no space left");
}

Value row_fields(const Table& table, size_t row) {
  Value out = Value::map();
  for (const Column& c : table.columns) {
    if (const auto* texts = std::get_if<std::vector<std::string>>(&c.values)) {
      if (!texts->at(row).empty()) out.at_or_add(c.name) = Value::text(texts->at(row));
    } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&c.values)) {
      out.at_or_add(c.name) = Value::integer(integers->at(row));
    } else if (const double v = std::get<std::vector<double>>(c.values).at(row); std::isfinite(v)) {
      out.at_or_add(c.name) = Value::number(v);
    }
  }
  return out;
}

double seconds_of_utc(const std::string& time) {
  std::tm parts{};
  int milliseconds = 0, used = 0;
  const int found =
      std::sscanf(time.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &milliseconds, &used);
  SVDLAB_REQUIRE(found == 7 && used == static_cast<int>(time.size()), Errc::kInput, "\"", time,
                 "\" is no time like 2026-01-31T12:00:00.250Z");
  parts.tm_year -= 1900, parts.tm_mon -= 1;
  return static_cast<double>(::timegm(&parts)) + milliseconds / 1000.0;
}

}  // namespace svdlab
