// Runs the simulation (testing/simulation.hpp) from a fixed seed. More schedules, or the replay of one:
//   MQBOARD_SIMULATION_SEED=<first seed> MQBOARD_SIMULATION_SCHEDULES=<how many> mqb_core_mqtt_test
//       --gtest_filter='Simulation.*'
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "core/mqtt/testing/simulation.hpp"

namespace mqboard::mqtt {
namespace {

unsigned long long from_environment(const char* name, unsigned long long otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Simulation, NothingIsLostDoubledReorderedOrStalled) {
  const auto first = from_environment("MQBOARD_SIMULATION_SEED", 1);
  const auto schedules = from_environment("MQBOARD_SIMULATION_SCHEDULES", 2000);
  testing::SimulationResult total;
  int failures = 0;
  for (unsigned long long seed = first; seed < first + schedules && failures < 10; ++seed) {
    const testing::SimulationResult result = testing::simulate(seed);
    failures += result.failure.empty() ? 0 : 1;
    EXPECT_EQ(result.failure, "") << "MQBOARD_SIMULATION_SEED=" << seed;
    total.published += result.published;
    total.received += result.received;
    total.connections += result.connections;
    total.client_crashes += result.client_crashes;
    total.broker_crashes += result.broker_crashes;
    total.sessions_lost += result.sessions_lost;
  }
  std::printf(
      "seeds %llu..%llu: %d published, %d received, %d connections, %d client and %d broker crashes, %d "
      "sessions lost\n",
      first, first + schedules - 1, total.published, total.received, total.connections, total.client_crashes,
      total.broker_crashes, total.sessions_lost);
  if (schedules > 100) {
    EXPECT_GT(total.client_crashes, 0);
    EXPECT_GT(total.broker_crashes, 0);
    EXPECT_GT(total.sessions_lost, 0);
  }
}

TEST(Simulation, SameSeed_SameSchedule) {
  for (unsigned long long seed = 1; seed < 20; ++seed) {
    const testing::SimulationResult first = testing::simulate(seed);
    const testing::SimulationResult again = testing::simulate(seed);
    EXPECT_EQ(first.connections, again.connections);
    EXPECT_EQ(first.received, again.received);
    EXPECT_EQ(first.published, again.published);
  }
}

}  // namespace
}  // namespace mqboard::mqtt
