#include "core/command/transfer.hpp"

#include <gtest/gtest.h>

#include "core/command/testing/memory_files.hpp"
#include "core/command/testing/test_hasher.hpp"

namespace mqboard::command {
namespace {

using testing::MemoryFiles;
using testing::sha256;
using testing::TestHasher;

class FileSinkTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::size_t temporaries() const {
    std::size_t count = 0;
    for (const auto& [path, file] : files.files)
      if (temporary_kind(std::string_view(path).substr(path.rfind('/') + 1)) != TemporaryKind::none) ++count;
    return count;
  }

  MemoryFiles files;
  TestHasher hasher;
  std::array<std::uint8_t, 512> scratch{};
  FileSink sink{files, hasher, scratch};
};

TEST_F(FileSinkTest, CommitReplacesTheFileAndUntilThenTheOldOneStays) {
  files.put("/a.txt", "old");
  ASSERT_TRUE(sink.create("/a.txt", 1).ok());
  ASSERT_TRUE(sink.write(as_bytes("new content")).ok());
  EXPECT_EQ(files.text("/a.txt"), "old");
  ASSERT_TRUE(sink.commit().ok());
  EXPECT_EQ(files.text("/a.txt"), "new content");
  EXPECT_EQ(temporaries(), 0u);
  EXPECT_EQ(files.open_files(), 0u);
}

TEST_F(FileSinkTest, CommitSyncsBeforeRenamingAndTheDirectoryAfter) {
  files.make_directory("/d");
  ASSERT_TRUE(sink.create("/d/a", 1).ok());
  ASSERT_TRUE(sink.commit().ok());
  ASSERT_EQ(files.calls.size(), 3u);
  EXPECT_TRUE(files.calls[0].starts_with("sync /d/.mqb-"));
  EXPECT_EQ(files.calls[1], "rename /d/a");
  EXPECT_EQ(files.calls[2], "sync_directory /d");
}

TEST_F(FileSinkTest, AbortAndDestructionRemoveTheTemporary) {
  ASSERT_TRUE(sink.create("a", 1).ok());
  sink.abort();
  EXPECT_EQ(temporaries(), 0u);
  {
    FileSink other(files, hasher, scratch);
    ASSERT_TRUE(other.create("a", 2).ok());
    EXPECT_EQ(temporaries(), 1u);
  }
  EXPECT_TRUE(files.files.empty());
}

TEST_F(FileSinkTest, SimultaneousTransfersToOneTargetDoNotMeet) {
  FileSink other(files, hasher, scratch);
  ASSERT_TRUE(sink.create("/a", 1).ok());
  ASSERT_TRUE(other.create("/a", 2).ok());
  ASSERT_TRUE(sink.write(as_bytes("first")).ok());
  ASSERT_TRUE(other.write(as_bytes("second")).ok());
  ASSERT_TRUE(other.commit().ok());
  ASSERT_TRUE(sink.commit().ok());
  EXPECT_EQ(files.text("/a"), "first");
}

TEST_F(FileSinkTest, NamesTheThingItCannotWrite) {
  files.make_directory("/d");
  EXPECT_EQ(sink.create("/d", 1), (Status{StatusCode::is_a_directory, "/d: Is a directory"}));
  EXPECT_EQ(sink.create("/d/", 1).code, StatusCode::is_a_directory);
  EXPECT_EQ(sink.create("", 1).code, StatusCode::is_a_directory);
  EXPECT_EQ(sink.create("/no/x", 1), (Status{StatusCode::not_found, "/no/x: No such file or directory"}));
  EXPECT_EQ(sink.create(std::string(kMaxPath + 1, 'x'), 1).code, StatusCode::too_long);
  EXPECT_TRUE(files.files.empty());
}

TEST_F(FileSinkTest, WritesOnAfterShortWritesAndReportsAFullDisk) {
  files.largest_write = 3;
  ASSERT_TRUE(sink.create("a", 1).ok());
  ASSERT_TRUE(sink.write(as_bytes("0123456789")).ok());
  files.write_fault = FsError::no_space;
  EXPECT_EQ(sink.write(as_bytes("more")), (Status{StatusCode::no_space, "a: No space left on flash"}));
  sink.abort();
  EXPECT_TRUE(files.files.empty());
}

TEST_F(FileSinkTest, AFailingSyncLeavesTheOldFile) {
  files.put("/a", "old");
  ASSERT_TRUE(sink.create("/a", 1).ok());
  ASSERT_TRUE(sink.write(as_bytes("new")).ok());
  files.sync_fault = FsError::io;
  EXPECT_EQ(sink.commit().code, StatusCode::io);
  EXPECT_EQ(files.text("/a"), "old");
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(FileSinkTest, ResumeFindsWhatAnEarlierAttemptStored) {
  const std::string content = "all of the content";
  const Sha256 hash = sha256(as_bytes(content));
  {
    FileSink first(files, hasher, scratch);
    const auto prefix = first.resume("/a", hash, content.size());
    ASSERT_TRUE(prefix);
    EXPECT_EQ(prefix->bytes, 0u);
    ASSERT_TRUE(first.write(as_bytes(content.substr(0, 7))).ok());
  }
  const auto prefix = sink.resume("/a", hash, content.size());
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->bytes, 7u);
  EXPECT_EQ(prefix->hash, sha256(as_bytes(content.substr(0, 7))));
  ASSERT_TRUE(sink.write(as_bytes(content.substr(7))).ok());
  ASSERT_TRUE(sink.commit().ok());
  EXPECT_EQ(files.text("/a"), content);
  EXPECT_EQ(temporaries(), 0u);
}

TEST_F(FileSinkTest, ResumeOfOtherContentOrTargetStartsAtNothing) {
  const Sha256 one = sha256(as_bytes("one"));
  const Sha256 two = sha256(as_bytes("two"));
  {
    FileSink first(files, hasher, scratch);
    ASSERT_TRUE(first.resume("/a", one, 3));
    ASSERT_TRUE(first.write(as_bytes("on")).ok());
  }
  EXPECT_EQ(sink.resume("/a", two, 3)->bytes, 0u);
  EXPECT_EQ(sink.resume("/b", one, 3)->bytes, 0u);
  EXPECT_EQ(sink.resume("/a", one, 1)->bytes, 0u) << "longer than the content: cannot be a prefix";
}

TEST_F(FileSinkTest, WhatWasStoredWronglyIsNotCommitted) {
  files.put("/a", "old");
  files.corrupt_byte_at = 2;
  const std::string content = "new content";
  ASSERT_TRUE(sink.resume("/a", sha256(as_bytes(content)), content.size()));
  ASSERT_TRUE(sink.write(as_bytes(content)).ok());
  EXPECT_EQ(sink.commit().code, StatusCode::integrity);
  EXPECT_EQ(files.text("/a"), "old");
  EXPECT_EQ(temporaries(), 0u) << "a bad temporary is of no use to the next attempt";
}

TEST_F(FileSinkTest, TheLongestNameHasATemporary) {
  const std::string name(kMaxFileName, 'n');
  ASSERT_TRUE(sink.create("/" + name, 1).ok());
  ASSERT_TRUE(sink.commit().ok());
  EXPECT_TRUE(files.files.contains("/" + name));
}

TEST(Temporaries, AreRecognisedByName) {
  EXPECT_EQ(temporary_kind(".mqb-00000001-1234abcd.tmp"), TemporaryKind::plain);
  EXPECT_EQ(temporary_kind(".mqb-0123456789abcdef-1234abcd.part"), TemporaryKind::resumable);
  for (const std::string name :
       {"", ".mqb-", "a.tmp", ".mqb-1.tmp", "mqb-00000001-1234abcd.tmp", ".mqb-notes"})
    EXPECT_EQ(temporary_kind(name), TemporaryKind::none) << name;
}

TEST(Temporaries, StaleOnesAreRemovedEverywhereAndFilesStay) {
  MemoryFiles files;
  files.make_directory("/lib");
  files.make_directory("/lib/deep");
  files.put("/main.py", "x");
  files.put("/.mqb-00000001-1234abcd.tmp", "x", 1000);
  files.put("/lib/.mqb-0123456789abcdef-1234abcd.part", "x", 99);
  files.put("/lib/.mqb-0123456789abcdee-1234abcd.part", "x", 100);
  for (char c = 'a'; c < 'k'; ++c)
    files.put(std::string("/lib/deep/.mqb-0000000") + c + "-1234abcd.tmp", "x", 1000);
  const auto removed = remove_stale_temporaries(files, "/", 100);
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, 12u);
  EXPECT_EQ(files.files.size(), 2u);
  EXPECT_TRUE(files.files.contains("/lib/.mqb-0123456789abcdee-1234abcd.part"));
}

TEST(Hex, RoundTripsAndRefusesWhatIsNotAHash) {
  const Sha256 hash = sha256(as_bytes("abc"));
  const auto text = to_hex(hash);
  EXPECT_EQ(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(parse_hex(text), hash);
  EXPECT_FALSE(parse_hex(text.view().substr(1)));
  EXPECT_FALSE(parse_hex(std::string(63, '0') + "g"));
  EXPECT_FALSE(parse_hex(std::string(65, '0')));
}

}  // namespace
}  // namespace mqboard::command
