// What the benchmark programs, one per MQTT library, have in common: their command line and their report.
//
//   PROGRAM publish|receive HOST PORT QOS PAYLOAD_BYTES COUNT WINDOW
//
// publish: sends COUNT messages to bench/data, at most WINDOW unacknowledged, until the last one is
// acknowledged. receive: subscribes to bench/data, prints "ready" and waits for COUNT messages. Both print
// one line of JSON: seconds, cpu_seconds and allocations of that part alone, peak resident kilobytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mqboard::bench {

inline constexpr const char* kTopic = "bench/data";

struct Job {
  bool publish = true;
  std::string host;
  int port = 0;
  int qos = 0;
  std::size_t payload_bytes = 0;
  std::size_t count = 0;
  std::size_t window = 0;
};

Job parse(int argc, char** argv);

// Starts and stops the measurement.
class Meter {
 public:
  void start();
  void report();

 private:
  double wall_ = 0;
  double cpu_ = 0;
  std::uint64_t allocations_ = 0;
};

void print_ready();

// Ends the program: a library failed.
[[noreturn]] void die(const std::string& why);

}  // namespace mqboard::bench
