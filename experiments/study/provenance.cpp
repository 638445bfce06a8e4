#include "experiments/study/provenance.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "experiments/study/build_info.h"

namespace svdlab {
namespace {

// The value of the first line of /proc/cpuinfo or /proc/meminfo that starts with `key`; "" where there is
// none.
std::string proc_line(const std::string& file, const std::string& key) {
  std::ifstream in("/proc/" + file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const size_t colon = line.find(':');
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return colon == std::string::npos || start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

std::string vector_features() {
  std::istringstream flags(proc_line("cpuinfo", "flags"));
  const std::set<std::string> wanted = {"sse4_2",   "avx",         "avx2",        "fma",     "avx512f",
                                        "avx512bw", "avx512_vnni", "avx512_bf16", "amx_tile"};
  std::string out;
  for (std::string flag; flags >> flag;)
    if (wanted.count(flag)) out += (out.empty() ? "" : " ") + flag;
  return out;
}

}  // namespace

Machine machine() {
  Machine m;
  m.processor = proc_line("cpuinfo", "model name");
  m.features = vector_features();
  utsname name{};
  if (::uname(&name) == 0) m.system = concat(name.sysname, " ", name.release), m.host = name.nodename;
  m.cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  m.memory_gib = std::atof(proc_line("meminfo", "MemTotal").c_str()) / (1024.0 * 1024.0);
  return m;
}

Value build_provenance() {
  const BuildInfo& info = build_info();
  const Machine m = machine();
  Value v = Value::map();
  v.at_or_add("schema") = Value::text(kSchema);
  v.at_or_add("tool_version") = Value::text(info.version);
  v.at_or_add("git_commit") = Value::text(info.commit);
  v.at_or_add("compiler") = Value::text(info.compiler);
  v.at_or_add("flags") = Value::text(info.flags);
  for (const auto& [name, version] : info.libraries)
    v.at_or_add("libraries").at_or_add(name) = Value::text(version);
  v.at_or_add("processor") = Value::text(m.processor);
  v.at_or_add("processor_features") = Value::text(m.features);
  v.at_or_add("device") = Value::text("cpu");
  return v;
}

Value run_provenance(const std::vector<std::string>& command_line) {
  Value v = build_provenance();
  const Machine m = machine();
  v.at_or_add("system") = Value::text(m.system);
  v.at_or_add("host") = Value::text(m.host);
  v.at_or_add("cores") = Value::integer(m.cores);
  v.at_or_add("memory_gib") = Value::number(m.memory_gib);
  v.at_or_add("started_utc") = Value::text(utc_now());
  v.at_or_add("pid") = Value::integer(::getpid());
  std::error_code ignored;
  v.at_or_add("folder") = Value::text(std::filesystem::current_path(ignored).string());
  Value& command = v.at_or_add("command_line") = Value::list();
  for (const std::string& word : command_line) command.items.push_back(Value::text(word));
  return v;
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace svdlab
