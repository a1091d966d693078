#include "board/nv_store.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/base/replace_file.hpp"
#include "port/linux/flash.hpp"
#include "port/linux/temporary_directory.hpp"
#include "port/sim/faulty_flash.hpp"

namespace mqboard::board {
namespace {

using port::sim::FaultyFlash;
using Blob = std::vector<std::uint8_t>;

std::int32_t number(NvStore& store, std::string_view key) {
  return std::get<std::int32_t>(store.get("app", key).value());
}

TEST(NvStore, WhatIsCommittedIsThereAfterwards) {
  FaultyFlash flash;
  {
    NvStore store(flash);
    ASSERT_TRUE(store.set("app", "count", -5));
    ASSERT_TRUE(store.set("app", "blob", Blob{0, 255, 10}));
    ASSERT_TRUE(store.set("other", "count", 7));
    ASSERT_TRUE(store.commit());
  }
  NvStore store(flash);
  EXPECT_EQ(number(store, "count"), -5);
  EXPECT_EQ(store.get("app", "blob"), NvStore::Item(Blob{0, 255, 10}));
  EXPECT_EQ(store.get("other", "count"), NvStore::Item(7));
  EXPECT_EQ(store.get("app", "nothing"), std::nullopt);
  EXPECT_FALSE(store.damaged());
}

TEST(NvStore, WhatIsNotCommittedIsLost) {
  FaultyFlash flash;
  NvStore store(flash);
  ASSERT_TRUE(store.set("app", "count", 1));
  EXPECT_EQ(number(store, "count"), 1);
  EXPECT_EQ(NvStore(flash).get("app", "count"), std::nullopt);
}

TEST(NvStore, EraseTakesAKeyAwayOnce) {
  FaultyFlash flash;
  NvStore store(flash);
  ASSERT_TRUE(store.set("app", "count", 1));
  ASSERT_TRUE(store.commit());
  EXPECT_TRUE(store.erase("app", "count"));
  EXPECT_FALSE(store.erase("app", "count"));
  ASSERT_TRUE(store.commit());
  EXPECT_EQ(NvStore(flash).get("app", "count"), std::nullopt);
}

TEST(NvStore, NamesAndSizesAreBounded) {
  FaultyFlash flash;
  NvStore store(flash);
  EXPECT_EQ(store.set("", "key", 1).error(), FsError::invalid);
  EXPECT_EQ(store.set("app", "sixteen-long-key", 1).error(), FsError::invalid);
  EXPECT_EQ(store.set("app", "blob", Blob(NvStore::kMaxBlob + 1)).error(), FsError::invalid);
  int count = 0;
  while (store.set("app", "blob" + std::to_string(count), Blob(NvStore::kMaxBlob))) ++count;
  EXPECT_EQ(count, 16);
  EXPECT_EQ(store.set("app", "one more", Blob(NvStore::kMaxBlob)).error(), FsError::no_space);
  EXPECT_TRUE(store.set("app", "blob0", Blob(10)));
  EXPECT_TRUE(store.set("app", "one more", Blob(3000)));
  ASSERT_TRUE(store.commit());
  EXPECT_EQ(NvStore(flash).get("app", "one more"), NvStore::Item(Blob(3000)));
}

TEST(NvStore, DamagedFileIsNoticedAndTakenForEmpty) {
  FaultyFlash flash;
  {
    NvStore store(flash);
    ASSERT_TRUE(store.set("app", "count", 1));
    ASSERT_TRUE(store.commit());
  }
  ASSERT_TRUE(flash.flip_bit("/.mqb/nvs", 12));
  NvStore store(flash);
  EXPECT_EQ(store.get("app", "count"), std::nullopt);
  EXPECT_TRUE(store.damaged());
  ASSERT_TRUE(store.set("app", "count", 2));
  ASSERT_TRUE(store.commit());
  NvStore again(flash);
  EXPECT_EQ(number(again, "count"), 2);
}

TEST(NvStore, EveryTruncationAndTrailingBytesAreDamage) {
  FaultyFlash source;
  NvStore store(source);
  ASSERT_TRUE(store.set("app", "count", 1));
  ASSERT_TRUE(store.set("app", "blob", Blob(20)));
  ASSERT_TRUE(store.commit());
  Blob buffer(1000);
  const Bytes file = read_file(source, "/.mqb/nvs", buffer).value();
  for (std::size_t size = 0; size <= file.size() + 1; ++size) {
    FaultyFlash flash;
    ASSERT_TRUE(flash.make_directory("/.mqb"));
    ASSERT_TRUE(replace_file(flash, "/.mqb/nvs", Bytes(buffer).first(size)));
    NvStore part(flash);
    EXPECT_EQ(part.get("app", "count").has_value(), size == file.size()) << size;
    EXPECT_EQ(part.damaged(), size != file.size()) << size;
  }
}

TEST(NvStore, FailedCommitKeepsWhatWasAndCanBeRepeated) {
  FaultyFlash flash;
  NvStore store(flash);
  ASSERT_TRUE(store.set("app", "count", 1));
  ASSERT_TRUE(store.commit());
  ASSERT_TRUE(store.set("app", "count", 2));
  flash.set_capacity(1);
  EXPECT_EQ(store.commit().error(), FsError::no_space);
  NvStore before(flash);
  EXPECT_EQ(number(before, "count"), 1);
  flash.set_capacity(0);
  ASSERT_TRUE(store.commit());
  NvStore after(flash);
  EXPECT_EQ(number(after, "count"), 2);
}

// Old or new, never neither, wherever the power is cut during a commit.
TEST(NvStore, PowerCutDuringCommitLeavesOldOrNew) {
  unsigned old_count = 0, new_count = 0;
  for (const auto damage : port::sim::kDamages) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      for (std::uint64_t cut = 1;; ++cut) {
        FaultyFlash flash;
        NvStore store(flash);
        ASSERT_TRUE(store.set("app", "count", 1));
        ASSERT_TRUE(store.set("app", "blob", Blob(600, 1)));
        ASSERT_TRUE(store.commit());
        ASSERT_TRUE(store.set("app", "count", 2));
        ASSERT_TRUE(store.set("app", "blob", Blob(600, 2)));
        flash.restart_count();
        flash.cut_at(cut);
        const bool committed = store.commit().has_value();
        flash.power_on(damage, seed);
        NvStore after(flash);
        const auto count = after.get("app", "count");
        ASSERT_TRUE(count) << name(damage) << " seed " << seed << " cut " << cut;
        const auto value = std::get<std::int32_t>(*count);
        EXPECT_EQ(after.get("app", "blob"), NvStore::Item(Blob(600, static_cast<std::uint8_t>(value))));
        (value == 2 ? new_count : old_count)++;
        if (committed) {
          EXPECT_EQ(value, 2) << name(damage) << " seed " << seed;
          break;
        }
      }
    }
  }
  EXPECT_GT(old_count, 0U);
  EXPECT_GT(new_count, 60U);
}

TEST(NvStore, FileThatCannotBeReadForAWhile_IsNotOverwritten) {
  const port::TemporaryDirectory directory;
  const auto flash = std::move(*port::LinuxFlash::open_root(directory.path()));
  {
    NvStore store(*flash);
    ASSERT_TRUE(store.set("app", "count", 5));
    ASSERT_TRUE(store.commit());
  }
  NvStore store(*flash);
  {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{0, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    EXPECT_EQ(store.get("app", "count"), std::nullopt);
    EXPECT_EQ(store.set("app", "count", 0).error(), FsError::too_many_open);
    ::setrlimit(RLIMIT_NOFILE, &before);
  }
  EXPECT_EQ(number(store, "count"), 5);
  EXPECT_FALSE(store.damaged());
}

}  // namespace
}  // namespace mqboard::board
