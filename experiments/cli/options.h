#pragma once
#include <boost/program_options.hpp>
#include <string>
#include <vector>

namespace svdlab {

/// One subcommand's options, help and positional words.
class Options {
 public:
  /// @param usage  what stands behind `svdlab`, e.g. "run STUDY.yaml [more.yaml] [a.b=c ...]"
  Options(const std::string& usage, const std::string& summary, const std::string& example);

  boost::program_options::options_description_easy_init add() { return description_.add_options(); }

  /// False: help was asked for and printed. Throws kConfig for an unknown flag, naming the nearest, and for a
  /// value that does not parse.
  bool parse(const std::vector<std::string>& arguments);

  const std::vector<std::string>& words() const { return words_; }
  /// The only positional word; kConfig when there is another number of them.
  const std::string& word(const std::string& what) const;
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  template <class T>
  T get(const std::string& name) const {
    return values_[name].as<T>();
  }

 private:
  std::string usage_, summary_, example_;
  boost::program_options::options_description description_{"Options"};
  boost::program_options::variables_map values_;
  std::vector<std::string> words_;
};

/// True for a.b=c, +a.b=c and ~a.b among the words of a study command, which are otherwise files.
bool is_override(const std::string& word);

/// `threads` of a command line: 0 means all cores; kConfig when negative.
int thread_count(int64_t asked);

}  // namespace svdlab
