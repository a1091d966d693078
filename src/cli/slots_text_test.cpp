#include "cli/slots_text.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

using Lines = std::vector<std::string>;

TEST(SlotsText, TrialSaysHowToKeepIt) {
  EXPECT_EQ(slots_text(R"({"running":"b","kind":"trial","hardware":"linux","trusted_keys":1,
                           "a":{"state":"confirmed","version":"1.1","bytes":6100000,"security_counter":3},
                           "b":{"state":"trial","version":"1.2","bytes":6200000,"security_counter":3}})"),
            (Lines{"runs          slot b, on trial", "slot a        1.1, 6.1 MB, confirmed",
                   "slot b        1.2, 6.2 MB, on trial, `mqboard ota confirm` keeps it",
                   "hardware      linux", "trusted keys  1"}));
}

TEST(SlotsText, BadSlotSaysWhy) {
  EXPECT_EQ(slots_text(R"({"running":"factory","kind":"factory","hardware":"","trusted_keys":0,
                           "a":{"state":"bad","reason":"crash","version":"2.0","bytes":999,"security_counter":0},
                           "b":{"state":"empty","bytes":0,"security_counter":0}})"),
            (Lines{"runs          factory", "slot a        2.0, 999 B, bad: it crashed",
                   "slot b        empty", "trusted keys  0"}));
}

TEST(SlotsText, WhatIsNotKnownIsShownAsItIs) {
  EXPECT_EQ(slots_text(R"({"running":"a","a":{"state":"odd","reason":"new reason"}})"),
            (Lines{"runs    slot a", "slot a  odd: new reason"}));
  EXPECT_TRUE(slots_text("no JSON").empty());
  EXPECT_TRUE(slots_text("{}").empty());
}

}  // namespace
}  // namespace mqboard::cli
