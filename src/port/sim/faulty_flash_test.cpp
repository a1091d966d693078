#include "port/sim/faulty_flash.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/base/replace_file.hpp"

namespace mqboard::port::sim {
namespace {

constexpr auto kReplace = OpenMode::write | OpenMode::create | OpenMode::truncate;
constexpr auto kUpdate = OpenMode::write | OpenMode::read;

void put(FileSystem& flash, std::string_view path, std::string_view text, bool synced) {
  const auto file = flash.open(path, kReplace);
  ASSERT_TRUE(file.has_value()) << describe(file.error());
  ASSERT_TRUE(write_all(flash, *file, as_bytes(text)).has_value());
  if (synced) {
    ASSERT_TRUE(flash.sync(*file).has_value());
    ASSERT_TRUE(flash.sync_directory("").has_value());
  }
  ASSERT_TRUE(flash.close(*file).has_value());
}

std::string get(FileSystem& flash, std::string_view path) {
  std::uint8_t buffer[4096];
  const auto text = read_file(flash, path, buffer);
  return text ? std::string(as_text(*text)) : std::string(errno_name(text.error()));
}

// Every content of `path` some seed leads to.
std::set<std::string> outcomes(const FaultyFlash& flash, std::string_view path, Damage damage) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FaultyFlash after = flash;
    after.power_on(damage, seed);
    found.insert(get(after, path));
  }
  return found;
}

TEST(FaultyFlashTest, SyncedFile_SurvivesEveryDamage) {
  FaultyFlash flash;
  put(flash, "a", "kept", true);
  for (const Damage damage : kDamages) {
    EXPECT_EQ(outcomes(flash, "a", damage), std::set<std::string>{"kept"}) << name(damage);
  }
}

TEST(FaultyFlashTest, UnsyncedContent_IsLostTornOrReordered) {
  FaultyFlash flash;
  put(flash, "a", "", true);
  const auto file = flash.open("a", kUpdate);
  const std::string text(3 * kFlashPage, 'x');
  ASSERT_TRUE(write_all(flash, *file, as_bytes(text)).has_value());
  EXPECT_EQ(outcomes(flash, "a", Damage::lost), std::set<std::string>{""});
  const auto torn = outcomes(flash, "a", Damage::torn);
  EXPECT_TRUE(torn.contains(text));
  EXPECT_GT(torn.size(), 50u);
  const auto reordered = outcomes(flash, "a", Damage::reordered);
  EXPECT_TRUE(reordered.contains(text));
  EXPECT_TRUE(reordered.contains(std::string(kFlashPage, '\0') + std::string(kFlashPage, 'x')));
}

TEST(FaultyFlashTest, UnsyncedOverwrite_MaySpoilTheOldPage) {
  FaultyFlash flash;
  put(flash, "a", std::string(kFlashPage, 'o'), true);
  const auto file = flash.open("a", kUpdate);
  ASSERT_TRUE(write_all(flash, *file, as_bytes("new")).has_value());
  bool spoiled = false;
  for (const std::string& content : outcomes(flash, "a", Damage::reordered)) {
    EXPECT_EQ(content.size(), kFlashPage);
    spoiled |= content.find('o') == std::string::npos;
  }
  EXPECT_TRUE(spoiled);
}

TEST(FaultyFlashTest, FileWithoutSyncedDirectory_MayBeMissing) {
  FaultyFlash flash;
  const auto file = flash.open("a", kReplace);
  ASSERT_TRUE(write_all(flash, *file, as_bytes("text")).has_value());
  ASSERT_TRUE(flash.sync(*file).has_value());
  EXPECT_EQ(outcomes(flash, "a", Damage::lost), std::set<std::string>{"ENOENT"});
  EXPECT_EQ(outcomes(flash, "a", Damage::torn), (std::set<std::string>{"ENOENT", "text"}));
  EXPECT_EQ(outcomes(flash, "a", Damage::reordered), (std::set<std::string>{"ENOENT", "text"}));
}

TEST(FaultyFlashTest, UnsyncedRename_HappensWholeOrNotAtAll) {
  FaultyFlash flash;
  put(flash, "old", "old", true);
  put(flash, "new", "new", true);
  ASSERT_TRUE(flash.rename("new", "old").has_value());
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    FaultyFlash after = flash;
    after.power_on(Damage::reordered, seed);
    const bool renamed = get(after, "old") == "new";
    EXPECT_EQ(get(after, "old"), renamed ? "new" : "old");
    EXPECT_EQ(get(after, "new"), renamed ? "ENOENT" : "new");
  }
}

TEST(FaultyFlashTest, RenameOfUnsyncedContent_MayLeaveAnEmptyFile) {
  FaultyFlash flash;
  put(flash, "a", "old", true);
  put(flash, "a.new", "new", false);
  ASSERT_TRUE(flash.rename("a.new", "a").has_value());
  ASSERT_TRUE(flash.sync_directory("").has_value());
  EXPECT_EQ(outcomes(flash, "a", Damage::lost), std::set<std::string>{""});
}

TEST(FaultyFlashTest, CutOperation_FailsAndWithItEverythingAfter) {
  FaultyFlash flash;
  put(flash, "a", "old", true);
  flash.restart_count();
  flash.cut_at(2);
  const auto file = flash.open("a", kUpdate);
  EXPECT_TRUE(flash.write(*file, as_bytes("1")).has_value());
  EXPECT_FALSE(flash.is_off());
  EXPECT_EQ(flash.write(*file, as_bytes("2")).error(), FsError::io);
  EXPECT_TRUE(flash.is_off());
  EXPECT_EQ(flash.sync(*file).error(), FsError::io);
  EXPECT_EQ(flash.stat("a").error(), FsError::io);
  EXPECT_EQ(flash.open("a", OpenMode::read).error(), FsError::io);
  EXPECT_EQ(outcomes(flash, "a", Damage::lost), std::set<std::string>{"old"});
  EXPECT_TRUE(outcomes(flash, "a", Damage::torn).contains("12d"));
}

TEST(FaultyFlashTest, SameSeed_GivesTheSameMedium) {
  FaultyFlash flash;
  put(flash, "a", std::string(1000, 'x'), false);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FaultyFlash first = flash;
    FaultyFlash second = flash;
    first.power_on(Damage::reordered, seed);
    second.power_on(Damage::reordered, seed);
    EXPECT_EQ(get(first, "a"), get(second, "a"));
  }
}

TEST(FaultyFlashTest, ReplaceFileCutAnywhere_LeavesTheOldContentOrTheNew) {
  FaultyFlash before;
  ASSERT_TRUE(before.make_directory("d").has_value());
  put(before, "d/a", "old", true);
  ASSERT_TRUE(before.sync_directory("d").has_value());
  before.restart_count();
  FaultyFlash whole = before;
  ASSERT_TRUE(replace_file(whole, "d/a", as_bytes("new")).has_value());
  EXPECT_EQ(whole.operations(), 5u);  // create, write, sync, rename, sync directory
  for (const Damage damage : kDamages)
    EXPECT_EQ(outcomes(whole, "d/a", damage), std::set<std::string>{"new"});
  for (std::uint64_t cut = 1; cut <= whole.operations(); ++cut) {
    FaultyFlash flash = before;
    flash.cut_at(cut);
    EXPECT_FALSE(replace_file(flash, "d/a", as_bytes("new")).has_value());
    for (const Damage damage : kDamages) {
      for (const std::string& content : outcomes(flash, "d/a", damage)) {
        EXPECT_TRUE(content == "old" || content == "new") << cut << ' ' << name(damage) << ' ' << content;
      }
    }
  }
}

TEST(FaultyFlashTest, InjectedFailure_HitsOneOperation) {
  FaultyFlash flash;
  flash.fail_at(2, FsError::no_space);
  const auto file = flash.open("a", kReplace);
  EXPECT_EQ(flash.write(*file, as_bytes("x")).error(), FsError::no_space);
  EXPECT_EQ(flash.write(*file, as_bytes("y")), 1u);
  EXPECT_EQ(get(flash, "a"), "y");
}

TEST(FaultyFlashTest, PathRules_AreThoseOfAnyFlash) {
  FaultyFlash flash;
  EXPECT_EQ(flash.open("../a", kReplace).error(), FsError::escapes);
  EXPECT_EQ(flash.open("d/a", kReplace).error(), FsError::not_found);
  ASSERT_TRUE(flash.make_directory("/d").has_value());
  EXPECT_EQ(flash.make_directory("d").error(), FsError::exists);
  put(flash, "d/../a", "text", false);
  EXPECT_EQ(get(flash, "/a"), "text");
  EXPECT_EQ(flash.open("a/b", OpenMode::read).error(), FsError::not_a_directory);
  EXPECT_EQ(flash.open("d", OpenMode::read).error(), FsError::is_a_directory);
  ASSERT_TRUE(flash.rename("a", "d/a").has_value());
  EXPECT_EQ(flash.remove_directory("d").error(), FsError::not_empty);
  ASSERT_TRUE(flash.remove_file("d/a").has_value());
  ASSERT_TRUE(flash.remove_directory("d").has_value());
  EXPECT_EQ(flash.stat("d").error(), FsError::not_found);
}

TEST(FaultyFlashTest, FullFlash_AnswersNoSpaceUntilSomethingIsRemoved) {
  FaultyFlash flash;
  flash.set_capacity(10);
  put(flash, "a", "12345678", true);
  EXPECT_EQ(replace_file(flash, "b", as_bytes("123")).error(), FsError::no_space);
  EXPECT_EQ(flash.stat("b.new").error(), FsError::not_found);
  ASSERT_TRUE(flash.remove_file("a").has_value());
  EXPECT_TRUE(replace_file(flash, "b", as_bytes("123")).has_value());
}

}  // namespace
}  // namespace mqboard::port::sim
