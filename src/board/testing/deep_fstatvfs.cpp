// Stands before the C library's: who asks how full a file system is overflows his stack. On a board that is
// the I/O thread for an operator's `info`, and the Python thread for os.statvfs().
#include <sys/statvfs.h>

namespace {

// Each frame is written to at its far end only, as one that holds a large array is.
int overflow(int depth) {
  volatile char frame[20'000];
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : overflow(depth + 1) + frame[0];
}

}  // namespace

extern "C" {
int fstatvfs(int, struct statvfs*) noexcept { return overflow(0); }
int fstatvfs64(int, struct statvfs64*) noexcept { return overflow(0); }
}
