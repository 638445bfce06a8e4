#include "experiments/cli/options.h"

#include <iostream>
#include <thread>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {

namespace po = boost::program_options;

Options::Options(const std::string& usage, const std::string& summary, const std::string& example)
    : usage_(usage), summary_(summary), example_(example) {
  description_.add_options()("help,h", "this text");
}

bool Options::parse(const std::vector<std::string>& arguments) {
  po::options_description all;
  all.add(description_).add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("words", -1);
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(positional).style(style).run(),
              values_);
    po::notify(values_);
  } catch (const po::unknown_option& e) {
    std::vector<std::string> known;
    for (const auto& option : description_.options()) known.push_back("--" + option->long_name());
    throw Error(Errc::kConfig, concat("unknown flag ", e.get_option_name(),
                                      "; nearest: ", nearest(e.get_option_name(), known), " (see svdlab ",
                                      usage_.substr(0, usage_.find(' ')), " --help)"));
  } catch (const po::error& e) {
    throw Error(Errc::kConfig, e.what());
  }
  if (values_.count("words")) words_ = values_["words"].as<std::vector<std::string>>();
  if (!values_.count("help")) return true;
  std::cout << "svdlab " << usage_ << "\n\n"
            << summary_ << "\n\n"
            << description_ << "\nExample:\n  " << example_ << "\n";
  return false;
}

const std::string& Options::word(const std::string& what) const {
  SVDLAB_REQUIRE(words_.size() == 1, Errc::kConfig, "expected one ", what, ", got ", words_.size(),
                 "; usage: svdlab ", usage_);
  return words_.front();
}

bool is_override(const std::string& word) {
  return word.substr(0, 1) == "~" || word.find('=') != std::string::npos;
}

int thread_count(int64_t asked) {
  SVDLAB_REQUIRE(asked >= 0 && asked <= 4096, Errc::kConfig, "--threads must be in [0, 4096], not ", asked);
  return asked > 0 ? static_cast<int>(asked)
                   : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace svdlab
