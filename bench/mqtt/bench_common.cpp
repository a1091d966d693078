#include "bench_common.hpp"

#include <dlfcn.h>
#include <time.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>

namespace {

std::atomic<std::uint64_t> allocations{0};

template<class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// Every allocation of the process, whoever makes it. calloc is left out: dlsym itself calls it.
extern "C" void* malloc(std::size_t size) {
  static const auto real = next<void* (*)(std::size_t)>("malloc");
  allocations.fetch_add(1, std::memory_order_relaxed);
  return real(size);
}

extern "C" void* realloc(void* old, std::size_t size) {
  static const auto real = next<void* (*)(void*, std::size_t)>("realloc");
  allocations.fetch_add(1, std::memory_order_relaxed);
  return real(old, size);
}

namespace mqboard::bench {
namespace {

double seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// getrusage would count what the process was before exec.
long peak_resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

}  // namespace

Job parse(int argc, char** argv) {
  if (argc != 8) die("usage: publish|receive HOST PORT QOS PAYLOAD_BYTES COUNT WINDOW");
  Job job;
  job.publish = std::string(argv[1]) == "publish";
  job.host = argv[2];
  job.port = std::atoi(argv[3]);
  job.qos = std::atoi(argv[4]);
  job.payload_bytes = static_cast<std::size_t>(std::atoll(argv[5]));
  job.count = static_cast<std::size_t>(std::atoll(argv[6]));
  job.window = static_cast<std::size_t>(std::atoll(argv[7]));
  return job;
}

void Meter::start() {
  allocations_ = allocations.load();
  cpu_ = seconds(CLOCK_PROCESS_CPUTIME_ID);
  wall_ = seconds(CLOCK_MONOTONIC);
}

void Meter::report() {
  const double wall = seconds(CLOCK_MONOTONIC) - wall_;
  const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_;
  const std::uint64_t allocated = allocations.load() - allocations_;
  std::printf(R"({"seconds": %.6f, "cpu_seconds": %.6f, "allocations": %llu, "rss_kb": %ld})"
              "\n",
              wall, cpu, static_cast<unsigned long long>(allocated), peak_resident_kb());
  std::fflush(stdout);
}

void print_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

}  // namespace mqboard::bench
