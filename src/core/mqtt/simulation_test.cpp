// Runs the simulation (testing/simulation.hpp) from a fixed seed. More schedules, or the replay of one:
//   MQBOARD_SIMULATION_SEED=<first seed> MQBOARD_SIMULATION_SCHEDULES=<how many> mqb_core_mqtt_test
//       --gtest_filter='Simulation.*'
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "core/mqtt/testing/simulation.hpp"

namespace mqboard::mqtt {
namespace {

unsigned long long from_environment(const char* name, unsigned long long otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// What a run of many schedules must have gone through, often.
const char* const kSituations[] = {
    "accepted at QoS 0",
    "accepted at QoS 1",
    "accepted at QoS 2",
    "received at QoS 0",
    "received at QoS 1",
    "received at QoS 2",
    "MQTT 3.1.1",
    "MQTT 5.0",
    "answers held back",
    "answers held back until something urgent",
    "bytes of an old connection read late",
    "clean starts",
    "connections closed for want of the store",
    "connections ended by DISCONNECT",
    "connections taken over",
    "crashes of the broker",
    "crashes of the client",
    "messages sent again",
    "PUBREL sent again",
    "receive maximum used up by the broker",
    "receive maximum used up by the client",
    "records restored",
    "sessions gone",
    "sessions lost with messages in them",
    "sessions resumed",
    "topic aliases to the broker",
    "topic aliases to the client",
};

TEST(Simulation, NothingIsLostDoubledReorderedOrStalled) {
  const auto first = from_environment("MQBOARD_SIMULATION_SEED", 1);
  const auto schedules = from_environment("MQBOARD_SIMULATION_SCHEDULES", 2000);
  std::map<std::string, int> seen;
  int failures = 0;
  for (unsigned long long seed = first; seed < first + schedules && failures < 10; ++seed) {
    const testing::SimulationResult result = testing::simulate(seed);
    failures += result.failure.empty() ? 0 : 1;
    EXPECT_EQ(result.failure, "") << "MQBOARD_SIMULATION_SEED=" << seed;
    for (const auto& [what, times] : result.seen) seen[what] += times;
  }
  std::printf("seeds %llu..%llu:\n", first, first + schedules - 1);
  for (const auto& [what, times] : seen) std::printf("  %9d %s\n", times, what.c_str());
  if (schedules < 1000) return;
  for (const char* what : kSituations) EXPECT_GT(seen[what], static_cast<int>(schedules / 20)) << what;
}

TEST(Simulation, SameSeed_SameSchedule) {
  for (unsigned long long seed = 1; seed < 20; ++seed) {
    const testing::SimulationResult first = testing::simulate(seed);
    const testing::SimulationResult again = testing::simulate(seed);
    EXPECT_EQ(first.seen, again.seen);
  }
}

}  // namespace
}  // namespace mqboard::mqtt
