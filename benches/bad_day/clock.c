// The system's clock, moved by as many seconds as the file of BAD_DAY_CLOCK says at that moment.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none = 0;
static volatile int64_t *moved = 0;
static int (*real)(clockid_t, struct timespec *) = 0;

__attribute__((constructor)) static void begin(void) {
  real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *path = getenv("BAD_DAY_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *map = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  moved = map == MAP_FAILED ? &none : (volatile int64_t *)map;
}

int clock_gettime(clockid_t clock, struct timespec *to) {
  if (!real) begin();
  int code = real(clock, to);
  if (code == 0 && clock == CLOCK_REALTIME) to->tv_sec += *moved;
  return code;
}
