#pragma once
#include <string>
#include <vector>

namespace svdlab {

/// A subcommand: `run` gets the words behind its name and returns the exit code.
struct Command {
  std::string name, summary;
  int (*run)(const std::vector<std::string>& arguments);
};
const std::vector<Command>& commands();

/// The whole program. Errors are one line on stderr, "error[config]: ..."; the exit code says which kind.
int run_program(const std::vector<std::string>& arguments);

/// The words the program was started with, for provenance.
const std::vector<std::string>& program_arguments();

int run_command(const std::vector<std::string>& arguments);
int quantize_command(const std::vector<std::string>& arguments);
int config_command(const std::vector<std::string>& arguments);
int lora_command(const std::vector<std::string>& arguments);
int export_command(const std::vector<std::string>& arguments);
int sample_command(const std::vector<std::string>& arguments);
int calibrate_command(const std::vector<std::string>& arguments);
int train_command(const std::vector<std::string>& arguments);
int inspect_command(const std::vector<std::string>& arguments);
int doctor_command(const std::vector<std::string>& arguments);
int export_events_command(const std::vector<std::string>& arguments);
int report_command(const std::vector<std::string>& arguments);
int eval_command(const std::vector<std::string>& arguments);
int analyze_command(const std::vector<std::string>& arguments);
int compare_command(const std::vector<std::string>& arguments);
int baseline_command(const std::vector<std::string>& arguments);
int repro_command(const std::vector<std::string>& arguments);
int bench_command(const std::vector<std::string>& arguments);
int list_command(const std::vector<std::string>& arguments);

}  // namespace svdlab
