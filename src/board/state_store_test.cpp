#include "board/state_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "mqtt/testing/file_size_limit.hpp"
#include "port/linux/temporary_directory.hpp"

namespace mqboard::board {
namespace {

class StateStoreTest : public testing::Test {
 protected:
  StateStore open() { return std::move(*StateStore::open(path_)); }
  void tick(StateStore& store) {
    now_ += StateStore::kRetry;
    store.tick(now_, [this](int, std::string_view text) { said_.emplace_back(text); });
  }

  TimePoint now_{Millis{1'000'000}};
  std::vector<std::string> said_;

  port::TemporaryDirectory directory_;
  const std::filesystem::path path_ = std::filesystem::path(directory_.path()) / "state";
};

TEST_F(StateStoreTest, DirectoryIsItsOwnersAlone) {
  (void)open();
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
}

TEST_F(StateStoreTest, PlaceThatCannotBe_FailsNamingIt) {
  std::ofstream(path_) << "a file";
  const auto store = StateStore::open(path_);
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().find(path_.string()), std::string::npos);
}

TEST_F(StateStoreTest, UniqueIdIsMadeUpOnceAndKept) {
  const std::string id = open().unique_id();
  EXPECT_EQ(id.size(), 12u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(open().unique_id(), id);
}

TEST_F(StateStoreTest, UniqueIdThatCannotBeReadForAWhile_IsNotReplaced) {
  const std::string id = open().unique_id();
  StateStore store = open();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  EXPECT_EQ(store.unique_id().size(), 12u) << "one for now";
  ::setrlimit(RLIMIT_NOFILE, &before);
  tick(store);
  EXPECT_EQ(store.unique_id(), id);
  EXPECT_EQ(open().unique_id(), id);
}

TEST_F(StateStoreTest, AnnouncedCrashLevelsAndConfiguration_AreRemembered) {
  EXPECT_EQ(open().announced_crash(), 0u);
  EXPECT_TRUE(open().levels().empty());
  EXPECT_FALSE(open().good_config());
  {
    StateStore store = open();
    store.set_announced_crash(7);
    store.save_levels({{"", 30}, {"blinky", 10}});
    ConfigSource source;
    source.board = "[board]\nlocation = \"x\"\n";
    source.secrets = "[mqtt]\npassword = \"p\"\n";
    store.save_good_config(source);
  }
  StateStore store = open();
  EXPECT_EQ(store.announced_crash(), 7u);
  EXPECT_EQ(store.levels(), (StateStore::Levels{{"", 30}, {"blinky", 10}}));
  const auto good = store.good_config();
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->board, "[board]\nlocation = \"x\"\n");
  EXPECT_EQ(good->secrets, "[mqtt]\npassword = \"p\"\n");
}

TEST_F(StateStoreTest, DamagedFilesCountAsAbsent) {
  open().set_announced_crash(7);
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    std::ofstream(entry.path(), std::ios::trunc) << "\xff nonsense";
  }
  EXPECT_EQ(open().announced_crash(), 0u);
  EXPECT_TRUE(open().levels().empty());
}

TEST_F(StateStoreTest, WhatCannotBeWritten_CountsAndIsWrittenOnceItCan) {
  StateStore store = open();
  store.save_levels({{"blinky", 10}});
  std::string id;
  ConfigSource source;
  source.board = "[board]\n";
  {
    const mqtt::testing::FileSizeLimit full(0);
    id = store.unique_id();
    store.save_levels({{"blinky", 20}});
    store.save_levels({{"blinky", 30}});
    store.set_announced_crash(7);
    store.save_good_config(source);
    tick(store);
    tick(store);
    EXPECT_THAT(said_, testing::ElementsAre(testing::StartsWith("board.state cannot be written: ")));
    EXPECT_EQ(store.unique_id(), id);
    EXPECT_EQ(store.announced_crash(), 7u);
    EXPECT_EQ(open().levels(), (StateStore::Levels{{"blinky", 10}})) << "the file is the old one still";
  }
  tick(store);
  tick(store);
  EXPECT_THAT(said_, testing::ElementsAre(testing::_, "board.state is written again"));
  StateStore later = open();
  EXPECT_EQ(later.unique_id(), id);
  EXPECT_EQ(later.levels(), (StateStore::Levels{{"blinky", 30}}));
  EXPECT_EQ(later.announced_crash(), 7u);
  EXPECT_EQ(later.good_config()->board, "[board]\n");
}

}  // namespace
}  // namespace mqboard::board
