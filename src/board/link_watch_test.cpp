#include "board/link_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqboard::board {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Link : ::testing::Test {
  NetworkFacts network;
  std::vector<std::string> said;
  LinkWatch watch{{.network = [this] { return network; },
                   .link_up = [this] { said.emplace_back("up"); },
                   .link_down = [this] { said.emplace_back("down"); },
                   .report = [](int, std::string_view) {}}};

  void look(bool up, std::string address) {
    network.up = up;
    network.address = std::move(address);
    watch.look();
  }
};

TEST_F(Link, TheFirstLookChangesNothing) {
  look(false, "");
  EXPECT_THAT(said, IsEmpty());
}

TEST_F(Link, ANetworkThatGoesHoldsTheClientBack_ThatComesLetsItGoOn) {
  look(true, "10.0.0.2");
  look(false, "");
  look(false, "");
  EXPECT_THAT(said, ElementsAre("down"));
  look(true, "10.0.0.2");
  EXPECT_THAT(said, ElementsAre("down", "up"));
}

TEST_F(Link, AnotherAddressIsWorthATryAtOnce_TheSameOneIsNot) {
  look(true, "10.0.0.2");
  look(true, "10.0.0.2");
  EXPECT_THAT(said, IsEmpty());
  look(true, "192.168.1.7");
  EXPECT_THAT(said, ElementsAre("up"));
}

TEST_F(Link, SuspicionOfMqttMakesItLook) {
  look(true, "10.0.0.2");
  network.up = false;
  watch.suspect("connection timed out");
  EXPECT_THAT(said, ElementsAre("down"));
}

TEST_F(Link, ANetworkThatStaysDownIsTriedNowAndAgain) {
  constexpr TimePoint kStart{1'000'000ms};
  look(true, "10.0.0.2");
  look(false, "");
  watch.tick(kStart);
  watch.tick(kStart + LinkWatch::kPatience - 1ms);
  EXPECT_THAT(said, ElementsAre("down"));
  watch.tick(kStart + LinkWatch::kPatience);
  watch.tick(kStart + LinkWatch::kPatience + 1s);
  EXPECT_THAT(said, ElementsAre("down", "up"));
}

TEST(LinkConcerns, BrokersElsewhereOnly) {
  const auto concerns = [](std::vector<std::string> servers) {
    MqttConfig config;
    config.servers = std::move(servers);
    return LinkWatch::concerns(config);
  };
  EXPECT_TRUE(concerns({"mqtts://broker.example"}));
  EXPECT_TRUE(concerns({"mqtt://user:pass@10.0.0.1:1883"}));
  for (const char* local :
       {"mqtt://localhost", "mqtt://127.0.0.1:1884", "mqtt://[::1]", "unix:///run/broker"})
    EXPECT_FALSE(concerns({local})) << local;
  EXPECT_FALSE(concerns({"mqtts://broker.example", "mqtt://localhost"}));
}

}  // namespace
}  // namespace mqboard::board
