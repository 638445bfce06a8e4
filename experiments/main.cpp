#include <signal.h>

#include "experiments/cli/command.h"

int main(int argc, char** argv) {
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of write(), as a full disk is
  return svdlab::run_program({argv + 1, argv + argc});
}
