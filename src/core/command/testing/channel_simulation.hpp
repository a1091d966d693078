// A seeded world for channels: an opener and a board's ChannelTable over a network that loses, repeats,
// delays, reorders and breaks off, with owners that are slow, cancel, finish early, and processes that
// restart. Virtual time only. A seed decides everything and replays exactly.
#pragma once

#include <cstdint>
#include <string>

namespace mqboard::command::testing {

struct SimulationResult {
  std::string failure;  // empty: every promise was kept
  std::uint64_t frames = 0;
  std::uint64_t bytes_delivered = 0;
  std::uint64_t bytes_sent_again = 0;
  std::uint64_t restarts = 0;
  std::int64_t virtual_ms = 0;
};

// One channel, no restarts: both streams arrive whole and in order, the status is the acceptor's, nothing
// stalls.
SimulationResult simulate_duplex(std::uint64_t seed);

// A put or a get that must complete although either process restarts at any time: opened again on a new
// channel, continued from what is on flash.
SimulationResult simulate_transfer(std::uint64_t seed);

}  // namespace mqboard::command::testing
