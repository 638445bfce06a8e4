/* LD_PRELOAD: a process sends itself a signal when it puts a file in place, so that a test says where a program
   is stopped instead of hoping for the moment. Every file of ours appears by rename().
     SVDLAB_RENAME_SIGNAL=<signal>:<before|after>:<n>      at the n-th rename, from 1 on
     SVDLAB_RENAME_SIGNAL=<signal>:<before|after>:/<name>  at the rename to a path that ends so
     SVDLAB_RENAME_COUNT=<file>                            to which a byte is added at each rename */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long renames;

static void count(void) {
  const char* file = getenv("SVDLAB_RENAME_COUNT");
  const int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  if (fd < 0) return;
  if (write(fd, ".", 1) != 1) abort();
  close(fd);
}

static int ends_with(const char* text, const char* end) {
  const size_t length = strlen(text), n = strlen(end);
  return n <= length && strcmp(text + length - n, end) == 0;
}

static void signal_at(const char* place, long number, const char* to) {
  char wanted_place[8], wanted[256];
  int wanted_signal;
  const char* wish = getenv("SVDLAB_RENAME_SIGNAL");
  if (!wish || sscanf(wish, "%d:%7[a-z]:%255s", &wanted_signal, wanted_place, wanted) != 3) return;
  const int here = wanted[0] == '/' ? ends_with(to, wanted) : atol(wanted) == number;
  if (here && strcmp(wanted_place, place) == 0) kill(getpid(), wanted_signal);
}

int rename(const char* from, const char* to) {
  int (*next)(const char*, const char*);
  *(void**)&next = dlsym(RTLD_NEXT, "rename");
  const long number = atomic_fetch_add(&renames, 1) + 1;
  count();
  signal_at("before", number, to);
  const int result = next(from, to);
  signal_at("after", number, to);
  return result;
}
