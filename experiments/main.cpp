#include "experiments/cli/command.h"

int main(int argc, char** argv) { return svdlab::run_program({argv + 1, argv + argc}); }
