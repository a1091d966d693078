#include "cli/facts.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

std::string shown(const std::string& name, const std::string& value, bool verbose = false) {
  const auto field = readable({name, value}, verbose);
  return field ? field->name + "=" + field->value : "";
}

TEST(Facts, NumbersAreShownInUnits) {
  EXPECT_EQ(shown("uptime_ms", "90000"), "uptime=1 min 30 s");
  EXPECT_EQ(shown("flash.free", "80160694272"), "flash.free=80.2 GB");
  EXPECT_EQ(shown("python.heap_used", "52784"), "python.heap_used=52.8 kB");
  EXPECT_EQ(shown("mqtt.bytes_sent", "8309"), "mqtt.bytes_sent=8.3 kB");
  EXPECT_EQ(shown("resident_bytes", "10346496"), "resident=10.3 MB");
  EXPECT_EQ(shown("connected_at", "1795437127"), "connected_at=2026-11-23 12:32:07 UTC");
  EXPECT_EQ(shown("boot.count", "17"), "boot.count=17");
}

TEST(Facts, WhatIsNoNumberStaysAsItIs) {
  EXPECT_EQ(shown("uptime_ms", "unknown"), "uptime_ms=unknown");
  EXPECT_EQ(shown("flash.free", "-1"), "flash.free=-1");
  EXPECT_EQ(shown("flash.free", ""), "flash.free=");
}

TEST(Facts, NumbersOfTheProtocolAreForTheVerbose) {
  EXPECT_EQ(shown("epoch", "3349784850"), "");
  EXPECT_EQ(shown("epoch", "3349784850", true), "epoch=3349784850");
}

TEST(Facts, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(duration_text(0), "0 ms");
  EXPECT_EQ(duration_text(999), "999 ms");
  EXPECT_EQ(duration_text(59'999), "59 s");
  EXPECT_EQ(duration_text(3'599'000), "59 min 59 s");
  EXPECT_EQ(duration_text(86'399'000), "23 h 59 min");
  EXPECT_EQ(duration_text(273'600'000), "3 d 4 h");
}

}  // namespace
}  // namespace mqboard::cli
