#pragma once
#include <string>

#include "core/base/value.h"
#include "core/io/hdf5.h"

namespace svdlab {

/// What happens in a run, as it happens: events.jsonl, one JSON object a line, only ever added to, so that a
/// run that was killed and went on has one history. Every event has `event`, `time` (UTC, ISO 8601 with
/// milliseconds) and `pid`. Not flushed to the disk: it informs, and no result depends on it.
class EventLog {
 public:
  /// Opens or makes the file; half a line at its end, which a killed process can leave, is cut off. Only one
  /// process may write at a time. kResource when it cannot be written.
  explicit EventLog(const std::string& path);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  /// Appends {"event": name, ...} as one write; from any thread.
  void write(const std::string& name, Value fields = Value::map()) const;

 private:
  std::string path_;
  int fd_ = -1;
};

/// The row's columns as fields of an event; empty texts and numbers that are not finite are left out.
Value row_fields(const Table& table, size_t row);

/// "2026-01-31T12:00:00.250Z" -> seconds since 1970; kInput when it is no such time.
double seconds_of_utc(const std::string& time);

}  // namespace svdlab
