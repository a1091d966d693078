// Run more with MQB_SIM_SCHEDULES=100000, replay one with MQB_SIM_SEED=<seed>.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "core/command/testing/channel_simulation.hpp"

namespace mqboard::command::testing {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run_schedules(SimulationResult (*simulate)(std::uint64_t), std::uint64_t schedules) {
  const std::uint64_t single = number_from("MQB_SIM_SEED", 0);
  const std::uint64_t first = single != 0 ? single : number_from("MQB_SIM_FIRST", 1);
  const std::uint64_t count = single != 0 ? 1 : number_from("MQB_SIM_SCHEDULES", schedules);
  SimulationResult sum;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const SimulationResult result = simulate(seed);
    ASSERT_EQ(result.failure, "") << "MQB_SIM_SEED=" << seed;
    sum.frames += result.frames;
    sum.bytes_delivered += result.bytes_delivered;
    sum.bytes_sent_again += result.bytes_sent_again;
    sum.restarts += result.restarts;
    sum.virtual_ms += result.virtual_ms;
  }
  std::cout << "schedules: " << count << ", frames: " << sum.frames << ", bytes: " << sum.bytes_delivered
            << ", sent again: " << sum.bytes_sent_again << ", restarts: " << sum.restarts
            << ", virtual seconds: " << sum.virtual_ms / 1000 << "\n";
}

TEST(ChannelSimulation, BothStreamsArriveWholeUnderLossRepetitionReorderingAndOutages) {
  run_schedules(simulate_duplex, 2'000);
}

TEST(ChannelSimulation, TransfersCompleteAcrossRestartsOfEitherSide) {
  run_schedules(simulate_transfer, 2'000);
}

}  // namespace
}  // namespace mqboard::command::testing
