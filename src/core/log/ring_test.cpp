#include "core/log/ring.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace mqboard::log {
namespace {

using Buffer = std::vector<std::uint8_t>;

Record record(Level level, std::string_view text, std::int64_t at_ms = 0) {
  return {.level = level, .since_boot = Millis(at_ms), .logger = "main", .text = text};
}

std::vector<std::string> texts(const Ring& ring) {
  std::vector<std::string> all;
  for (auto entry = ring.after(0); entry; entry = ring.after(entry->sequence))
    all.emplace_back(entry->record.text);
  return all;
}

TEST(RingTest, GivesBackWhatWasPushedInOrder) {
  Buffer memory(1000);
  Ring ring(memory);
  EXPECT_TRUE(ring.push({Level::warning, Millis(12'345), "mqtt", "lost the connection"}));
  EXPECT_TRUE(ring.push(record(Level::info, "")));
  const auto first = ring.take();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sequence, 1u);
  EXPECT_EQ(first->record.level, Level::warning);
  EXPECT_EQ(first->record.since_boot, Millis(12'345));
  EXPECT_EQ(first->record.logger, "mqtt");
  EXPECT_EQ(first->record.text, "lost the connection");
  EXPECT_EQ(ring.take()->record.text, "");
  EXPECT_FALSE(ring.take());
}

TEST(RingTest, WhatWasTakenIsTakenAgainUnlessAcknowledged) {
  Buffer memory(1000);
  Ring ring(memory);
  for (const char* text : {"a", "b", "c"}) ring.push(record(Level::info, text));
  const auto first = ring.take();
  EXPECT_EQ(ring.take()->record.text, "b");
  ring.acknowledge(first->sequence);
  ring.rewind();
  EXPECT_EQ(ring.take()->record.text, "b");
  EXPECT_EQ(ring.take()->record.text, "c");
  EXPECT_FALSE(ring.take());
}

TEST(RingTest, AnAcknowledgementOfWhatWasNotTakenIsIgnored) {
  Buffer memory(1000);
  Ring ring(memory);
  ring.push(record(Level::info, "a"));
  ring.acknowledge(1000);
  EXPECT_EQ(ring.take()->record.text, "a");
}

TEST(RingTest, WhenFullTheLeastSevereGoesFirstThenTheOldest) {
  Buffer memory(4 * 32);  // four records of one character
  Ring ring(memory);
  ring.push(record(Level::error, "E"));
  ring.push(record(Level::info, "1"));
  ring.push(record(Level::warning, "W"));
  ring.push(record(Level::info, "2"));
  EXPECT_TRUE(ring.push(record(Level::info, "3")));
  EXPECT_EQ(texts(ring), (std::vector<std::string>{"E", "W", "2", "3"}));
  EXPECT_TRUE(ring.push(record(Level::critical, "C")));
  EXPECT_TRUE(ring.push(record(Level::critical, "D")));
  EXPECT_EQ(texts(ring), (std::vector<std::string>{"E", "W", "C", "D"}));
  EXPECT_FALSE(ring.push(record(Level::debug, "x"))) << "nothing here is less severe";
  EXPECT_TRUE(ring.push(record(Level::critical, "F")));
  EXPECT_EQ(texts(ring), (std::vector<std::string>{"E", "C", "D", "F"}));
  EXPECT_EQ(ring.lost(), 5u);
}

TEST(RingTest, DeliveredRecordsGoBeforeAnyOther) {
  Buffer memory(3 * 32);
  Ring ring(memory);
  ring.push(record(Level::critical, "C"));
  ring.push(record(Level::debug, "1"));
  ring.push(record(Level::debug, "2"));
  ring.acknowledge(ring.take()->sequence);
  EXPECT_TRUE(ring.push(record(Level::debug, "3")));
  EXPECT_EQ(texts(ring), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(ring.lost(), 0u);
}

TEST(RingTest, ALargeRecordMakesRoomByAsManyAsItTakes) {
  Buffer memory(512);
  Ring ring(memory);
  for (int i = 0; i < 100; ++i) ring.push(record(Level::info, "x"));
  EXPECT_TRUE(ring.push(record(Level::info, std::string(400, 'y'))));
  EXPECT_LE(ring.bytes_used(), memory.size());
  EXPECT_EQ(texts(ring).back(), std::string(400, 'y'));
  EXPECT_FALSE(ring.push(record(Level::critical, std::string(600, 'z')))) << "larger than the ring";
}

TEST(RingTest, ALowerLimitAppliesFromTheNextPush) {
  Buffer memory(320);
  Ring ring(memory);
  for (const char* text : {"a", "b", "c", "d", "e"}) ring.push(record(Level::info, text));
  ring.limit(64);
  EXPECT_EQ(texts(ring).size(), 5u);
  ring.push(record(Level::info, "f"));
  EXPECT_EQ(texts(ring), (std::vector<std::string>{"e", "f"}));
}

TEST(RingTest, LongTextsAreCutAtACharacter) {
  Buffer memory(4000);
  Ring ring(memory);
  std::string text(kMaxText - 1, 'x');
  text += "\xC3\xBC";
  ring.push(record(Level::info, text));
  EXPECT_EQ(ring.take()->record.text, std::string(kMaxText - 1, 'x'));
}

TEST(RingRecovery, FindsEverythingAtAnyAddress) {
  Buffer memory(1000);
  {
    Ring ring(memory);
    for (const char* text : {"first", "second", "third"}) ring.push(record(Level::info, text, 7));
  }
  Buffer elsewhere = memory;
  Ring ring = Ring::recover(elsewhere);
  EXPECT_EQ(texts(ring), (std::vector<std::string>{"first", "second", "third"}));
  ring.push(record(Level::info, "fourth"));
  EXPECT_EQ(ring.last_sequence(), 4u);
  EXPECT_EQ(ring.take()->record.text, "first");
}

TEST(RingRecovery, OfGarbageIsEmptyAndUsable) {
  std::mt19937 rng(1);
  Buffer memory(1000);
  for (auto& byte : memory) byte = static_cast<std::uint8_t>(rng());
  Ring ring = Ring::recover(memory);
  EXPECT_TRUE(texts(ring).empty());
  EXPECT_TRUE(ring.push(record(Level::info, "x")));
  EXPECT_EQ(texts(ring).size(), 1u);
}

TEST(RingRecovery, ADamagedRecordCostsOnlyItself) {
  Buffer memory(1000);
  Ring ring(memory);
  for (const char* text : {"aaaa", "bbbb", "cccc"}) ring.push(record(Level::info, text));
  for (std::size_t at = 0; at < ring.bytes_used(); ++at) {
    Buffer copy = memory;
    copy[at] ^= 0x10;
    EXPECT_GE(texts(Ring::recover(copy)).size(), 2u) << at;
  }
}

// Death in the middle of making room: part of what follows the victim was moved already.
TEST(RingRecovery, AfterDeathInTheMiddleOfAMoveAtMostOneRecordIsMissing) {
  Buffer before(2000);
  Ring ring(before);
  std::mt19937 rng(2);
  std::vector<std::string> pushed;
  for (int i = 0; i < 20; ++i) {
    pushed.push_back(std::to_string(i) + std::string(rng() % 40, 'x'));
    ring.push(record(i == 3 ? Level::debug : Level::info, pushed.back()));
  }
  const std::size_t used = ring.bytes_used();
  const auto start_of = [&](int index) {
    std::size_t at = 0;
    for (int i = 0; i < index; ++i)
      at += (Ring::kOverhead + 4 + pushed[static_cast<std::size_t>(i)].size() + 3) / 4 * 4;
    return at;
  };
  const std::size_t hole = start_of(3);
  const std::size_t from = start_of(4);
  for (std::size_t moved = 0; moved <= used - from; ++moved) {
    Buffer memory = before;
    std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(from), moved,
                memory.begin() + static_cast<std::ptrdiff_t>(hole));
    const auto found = texts(Ring::recover(memory));
    ASSERT_GE(found.size(), 18u) << moved;
    std::size_t at = 0;
    for (const std::string& text : found) {
      while (at < pushed.size() && pushed[at] != text) ++at;
      ASSERT_LT(at, pushed.size()) << "out of order or twice, after " << moved;
      ++at;
    }
  }
}

TEST(RingRecovery, AHalfWrittenRecordIsNotThere) {
  Buffer before(1000);
  Ring ring(before);
  ring.push(record(Level::info, "there"));
  const std::size_t used = ring.bytes_used();
  Buffer after = before;
  Ring second = Ring::recover(after);
  second.push(record(Level::info, "half written"));
  for (std::size_t written = 0; written < second.bytes_used() - used; ++written) {
    Buffer memory = before;
    std::copy_n(after.begin() + static_cast<std::ptrdiff_t>(used), written,
                memory.begin() + static_cast<std::ptrdiff_t>(used));
    const auto found = texts(Ring::recover(memory));
    ASSERT_GE(found.size(), 1u);
    EXPECT_EQ(found[0], "there");
  }
}

}  // namespace
}  // namespace mqboard::log
