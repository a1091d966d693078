#include "port/linux/flash.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "core/base/replace_file.hpp"
#include "port/linux/temporary_directory.hpp"

namespace mqboard::port {
namespace {

namespace fs = std::filesystem;
constexpr auto kReplace = OpenMode::write | OpenMode::create | OpenMode::truncate;

struct Listing final : DirectoryVisitor {
  std::map<std::string, FileInfo> entries;
  bool entry(std::string_view name, const FileInfo& info) override {
    entries.emplace(name, info);
    return true;
  }
};

class LinuxFlashTest : public testing::Test {
 protected:
  LinuxFlashTest() : root_(outside_.path() / "flash") {
    fs::create_directory(root_);
    std::ofstream(outside_.path() / "secret") << "keep out";
    flash_ = open_root({});
  }

  std::unique_ptr<LinuxFlash> open_root(const LinuxFlash::Options& options) {
    auto flash = LinuxFlash::open_root(root_.string(), options);
    EXPECT_TRUE(flash.has_value());
    return std::move(*flash);
  }

  void put(std::string_view path, std::string_view text) {
    const auto file = flash_->open(path, kReplace);
    ASSERT_TRUE(file.has_value()) << describe(file.error());
    EXPECT_EQ(flash_->write(*file, as_bytes(text)), text.size());
    EXPECT_TRUE(flash_->close(*file).has_value());
  }

  FsResult<std::string> get(std::string_view path) {
    const auto file = flash_->open(path, OpenMode::read);
    if (!file) return Failure{file.error()};
    std::string text(100, '\0');
    const auto count = flash_->read(*file, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    EXPECT_TRUE(flash_->close(*file).has_value());
    if (!count) return Failure{count.error()};
    text.resize(*count);
    return text;
  }

  FsResult<void> touch(std::string_view path) {
    const auto file = flash_->open(path, kReplace);
    if (!file) return Failure{file.error()};
    return flash_->close(*file);
  }

  std::uint64_t free_bytes() { return flash_->space()->free_bytes; }

  TemporaryDirectory outside_;
  fs::path root_;
  std::unique_ptr<LinuxFlash> flash_;
};

TEST_F(LinuxFlashTest, WrittenFile_ReadsBackUnderRelativeAndAbsolutePath) {
  put("/main.py", "print(1)");
  EXPECT_EQ(get("main.py"), "print(1)");
  EXPECT_EQ(get("//main.py"), "print(1)");
  EXPECT_EQ(fs::file_size(root_ / "main.py"), 8u);
}

TEST_F(LinuxFlashTest, OpenModes_BehaveAsTheirPosixNames) {
  EXPECT_EQ(flash_->open("a", OpenMode::read).error(), FsError::not_found);
  EXPECT_EQ(flash_->open("a", OpenMode::create).error(), FsError::invalid);
  EXPECT_EQ(flash_->open("a", OpenMode::read | OpenMode::truncate).error(), FsError::invalid);
  put("a", "one");
  EXPECT_EQ(flash_->open("a", kReplace | OpenMode::exclusive).error(), FsError::exists);
  const auto append = flash_->open("a", OpenMode::read | OpenMode::write | OpenMode::append);
  ASSERT_TRUE(append.has_value());
  EXPECT_EQ(flash_->write(*append, as_bytes("two")), 3u);
  EXPECT_TRUE(flash_->sync(*append).has_value());
  EXPECT_EQ(get("a"), "onetwo");
  EXPECT_EQ(flash_->seek(*append, -2, SeekFrom::end), 4u);
  EXPECT_EQ(flash_->seek(*append, -5, SeekFrom::current).error(), FsError::invalid);
  EXPECT_TRUE(flash_->truncate(*append, 2).has_value());
  EXPECT_EQ(flash_->stat(*append)->size_bytes, 2u);
  EXPECT_TRUE(flash_->close(*append).has_value());
  EXPECT_EQ(get("a"), "on");
}

TEST_F(LinuxFlashTest, WrongDirectionOfAccess_IsRefused) {
  put("a", "text");
  const auto reader = flash_->open("a", OpenMode::read);
  EXPECT_EQ(flash_->write(*reader, as_bytes("x")).error(), FsError::access);
  EXPECT_EQ(flash_->truncate(*reader, 0).error(), FsError::access);
  const auto writer = flash_->open("a", OpenMode::write);
  std::uint8_t byte = 0;
  EXPECT_EQ(flash_->read(*writer, {&byte, 1}).error(), FsError::access);
}

TEST_F(LinuxFlashTest, ClosedFileId_StaysInvalidWhenItsSlotIsReused) {
  put("a", "text");
  const auto first = flash_->open("a", OpenMode::read);
  ASSERT_TRUE(flash_->close(*first).has_value());
  const auto second = flash_->open("a", OpenMode::read);
  EXPECT_EQ(flash_->stat(*first).error(), FsError::invalid);
  EXPECT_EQ(flash_->close(*first).error(), FsError::invalid);
  EXPECT_TRUE(flash_->close(*second).has_value());
  EXPECT_EQ(flash_->close(FileId{-1}).error(), FsError::invalid);
}

TEST_F(LinuxFlashTest, Directories_AreMadeListedRenamedAndRemoved) {
  ASSERT_TRUE(flash_->make_directory("lib/").has_value());
  EXPECT_EQ(flash_->make_directory("/lib").error(), FsError::exists);
  EXPECT_EQ(flash_->make_directory("/").error(), FsError::exists);
  EXPECT_EQ(flash_->make_directory("no/where").error(), FsError::not_found);
  put("lib/x.py", "12345");
  ASSERT_TRUE(flash_->make_directory("lib/sub").has_value());
  Listing listing;
  ASSERT_TRUE(flash_->list("/lib", listing).has_value());
  ASSERT_EQ(listing.entries.size(), 2u);
  EXPECT_EQ(listing.entries["x.py"].size_bytes, 5u);
  EXPECT_EQ(listing.entries["sub"].kind, FileInfo::Kind::directory);
  EXPECT_EQ(flash_->remove_directory("lib").error(), FsError::not_empty);
  EXPECT_EQ(flash_->remove_file("lib/sub").error(), FsError::is_a_directory);
  EXPECT_EQ(flash_->remove_directory("lib/x.py").error(), FsError::not_a_directory);
  EXPECT_EQ(flash_->open("lib", OpenMode::read).error(), FsError::is_a_directory);
  EXPECT_EQ(flash_->list("lib/x.py", listing).error(), FsError::not_a_directory);
  ASSERT_TRUE(flash_->rename("lib/x.py", "y.py").has_value());
  EXPECT_TRUE(flash_->sync_directory("lib").has_value());
  EXPECT_TRUE(flash_->sync_directory("/").has_value());
  ASSERT_TRUE(flash_->remove_directory("lib/sub").has_value());
  ASSERT_TRUE(flash_->remove_directory("lib").has_value());
  EXPECT_EQ(get("y.py"), "12345");
}

TEST_F(LinuxFlashTest, Rename_ReplacesAFileAndKeepsItsReadersOnTheOldOne) {
  put("old", "old");
  put("new", "new");
  const auto reader = flash_->open("old", OpenMode::read);
  ASSERT_TRUE(flash_->rename("new", "old").has_value());
  std::uint8_t bytes[3] = {};
  EXPECT_EQ(flash_->read(*reader, bytes), 3u);
  EXPECT_EQ(as_text(bytes), "old");
  EXPECT_EQ(get("old"), "new");
  EXPECT_EQ(get("new").error(), FsError::not_found);
}

TEST_F(LinuxFlashTest, MalformedPaths_AreRefused) {
  EXPECT_EQ(touch(std::string(kMaxPath + 1, 'x')).error(), FsError::too_long);
  EXPECT_EQ(touch(std::string(kMaxFileName + 1, 'x')).error(), FsError::too_long);
  EXPECT_EQ(touch(std::string_view("a\0b", 3)).error(), FsError::invalid);
  EXPECT_EQ(touch("\xff").error(), FsError::invalid);
  EXPECT_EQ(touch("a/").error(), FsError::is_a_directory);
  EXPECT_EQ(flash_->rename("a", "..").error(), FsError::invalid);
  EXPECT_EQ(flash_->remove_directory("/").error(), FsError::invalid);
}

TEST_F(LinuxFlashTest, DotDotOutOfTheRoot_Escapes) {
  for (const char* const path : {"../secret", "/../secret", "a/../../secret", "../flash/a"}) {
    fs::create_directory(root_ / "a");
    EXPECT_EQ(get(path).error(), FsError::escapes) << path;
    EXPECT_EQ(touch(path).error(), FsError::escapes) << path;
    EXPECT_EQ(flash_->stat(path).error(), FsError::escapes) << path;
    EXPECT_EQ(flash_->remove_file(path).error(), FsError::escapes) << path;
    EXPECT_EQ(flash_->rename("a", path).error(), FsError::escapes) << path;
    EXPECT_EQ(flash_->rename(path, "b").error(), FsError::escapes) << path;
  }
  put("b", "inside");
  EXPECT_EQ(get("a/../b"), "inside");
  EXPECT_TRUE(fs::exists(outside_.path() / "secret"));
}

TEST_F(LinuxFlashTest, LinkOutOfTheRoot_EscapesAndLinkInsideIsFollowed) {
  fs::create_directory_symlink(outside_.path(), root_ / "absolute");
  fs::create_directory_symlink("..", root_ / "relative");
  fs::create_symlink("../secret", root_ / "file");
  fs::create_symlink("../created", root_ / "dangling");
  fs::create_symlink("/proc/self/root/etc/passwd", root_ / "magic");
  fs::create_symlink("loop", root_ / "loop");
  for (const char* const path : {"absolute/secret", "relative/secret", "file", "dangling", "magic", "loop"}) {
    EXPECT_EQ(get(path).error(), FsError::escapes) << path;
    EXPECT_EQ(touch(path).error(), FsError::escapes) << path;
  }
  EXPECT_EQ(flash_->make_directory("relative/x").error(), FsError::escapes);
  Listing outside;
  EXPECT_EQ(flash_->list("relative", outside).error(), FsError::escapes);
  EXPECT_FALSE(fs::exists(outside_.path() / "created"));

  put("target", "inside");
  fs::create_symlink("target", root_ / "link");
  EXPECT_EQ(get("link"), "inside");
  Listing listing;
  ASSERT_TRUE(flash_->list("", listing).has_value());
  EXPECT_EQ(listing.entries.size(), 2u);
  EXPECT_EQ(listing.entries["link"].size_bytes, 6u);
  EXPECT_TRUE(flash_->remove_file("file").has_value());  // the link itself is in the flash and may go
  EXPECT_TRUE(fs::exists(outside_.path() / "secret"));
}

TEST_F(LinuxFlashTest, DirectorySwappedForALinkMeanwhile_NeverLetsAnAccessOut) {
  fs::create_directory(root_ / "d");
  put("d/secret", "inside");
  fs::create_directory_symlink("..", root_ / "out");
  std::atomic<bool> stop = false;
  const std::string directory = root_ / "d";
  const std::string link = root_ / "out";
  std::thread swapper([&] {
    while (!stop)
      ::syscall(SYS_renameat2, AT_FDCWD, directory.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  });
  int inside = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto text = get("d/../d/secret");
    if (text) {
      EXPECT_EQ(text, "inside");
      ++inside;
    } else {
      EXPECT_TRUE(text.error() == FsError::escapes || text.error() == FsError::not_found)
          << describe(text.error());
    }
    (void)touch("d/created");
  }
  stop = true;
  swapper.join();
  EXPECT_GT(inside, 0);
  EXPECT_FALSE(fs::exists(outside_.path() / "created"));
}

TEST_F(LinuxFlashTest, FifoAndSocket_AreNeitherOpenedNorListed) {
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0666), 0);
  ASSERT_EQ(::mknod((root_ / "socket").c_str(), S_IFSOCK | 0666, 0), 0);
  for (const char* const path : {"fifo", "socket"}) {
    EXPECT_EQ(get(path).error(), FsError::access);
    EXPECT_EQ(touch(path).error(), FsError::access);
    EXPECT_EQ(flash_->stat(path).error(), FsError::access);
  }
  Listing listing;
  ASSERT_TRUE(flash_->list("/", listing).has_value());
  EXPECT_TRUE(listing.entries.empty());
}

TEST_F(LinuxFlashTest, MoreOpenFilesThanAllowed_AreRefusedUntilOneCloses) {
  flash_ = open_root({.max_open_files = 2});
  put("a", "");
  const auto first = flash_->open("a", OpenMode::read);
  const auto second = flash_->open("a", OpenMode::read);
  EXPECT_EQ(flash_->open("a", OpenMode::read).error(), FsError::too_many_open);
  EXPECT_EQ(touch("never").error(), FsError::too_many_open);
  EXPECT_FALSE(fs::exists(root_ / "never"));
  ASSERT_TRUE(flash_->close(*first).has_value());
  EXPECT_TRUE(flash_->open("a", OpenMode::read).has_value());
}

TEST_F(LinuxFlashTest, FullQuota_ShortensTheWriteThenAnswersNoSpace) {
  flash_ = open_root({.capacity_bytes = 4 * kFlashBlock});
  EXPECT_EQ(flash_->space()->total_bytes, 4 * kFlashBlock);
  const std::string text(6 * kFlashBlock, 'x');
  const auto file = flash_->open("big", kReplace);
  EXPECT_EQ(flash_->write(*file, as_bytes(text)), 4 * kFlashBlock);
  EXPECT_EQ(flash_->write(*file, as_bytes(text)).error(), FsError::no_space);
  EXPECT_EQ(touch("other").error(), FsError::no_space);
  EXPECT_EQ(flash_->make_directory("other").error(), FsError::no_space);
  EXPECT_EQ(flash_->truncate(*file, 5 * kFlashBlock).error(), FsError::no_space);
  ASSERT_EQ(flash_->seek(*file, 0, SeekFrom::start), 0u);
  EXPECT_EQ(flash_->write(*file, as_bytes("overwriting is free")), 19u);
  ASSERT_TRUE(flash_->truncate(*file, kFlashBlock + 1).has_value());
  EXPECT_EQ(free_bytes(), 2 * kFlashBlock);
  ASSERT_TRUE(flash_->close(*file).has_value());
  put("big", "");
  EXPECT_EQ(free_bytes(), 3 * kFlashBlock);
}

TEST_F(LinuxFlashTest, HoleBeyondTheQuota_IsRefused) {
  flash_ = open_root({.capacity_bytes = 4 * kFlashBlock});
  const auto file = flash_->open("sparse", kReplace);
  ASSERT_EQ(flash_->seek(*file, 4 * kFlashBlock, SeekFrom::start), 4 * kFlashBlock);
  EXPECT_EQ(flash_->write(*file, as_bytes("x")).error(), FsError::no_space);
  ASSERT_EQ(flash_->seek(*file, 3 * kFlashBlock, SeekFrom::start), 3 * kFlashBlock);
  EXPECT_EQ(flash_->write(*file, as_bytes("x")), 1u);
  EXPECT_EQ(free_bytes(), 0u);
}

TEST_F(LinuxFlashTest, RemovedFile_KeepsItsSpaceUntilItsLastFileIdIsClosed) {
  flash_ = open_root({.capacity_bytes = 8 * kFlashBlock});
  put("a", std::string(2 * kFlashBlock, 'x'));
  const auto first = flash_->open("a", OpenMode::read);
  const auto second = flash_->open("a", OpenMode::read);
  ASSERT_TRUE(flash_->remove_file("a").has_value());
  EXPECT_EQ(free_bytes(), 6 * kFlashBlock);
  ASSERT_TRUE(flash_->close(*first).has_value());
  EXPECT_EQ(free_bytes(), 6 * kFlashBlock);
  ASSERT_TRUE(flash_->close(*second).has_value());
  EXPECT_EQ(free_bytes(), 8 * kFlashBlock);
}

TEST_F(LinuxFlashTest, SpaceUsed_IsTheSameCountedAfreshAsKeptUpToDate) {
  flash_ = open_root({.capacity_bytes = 64 * kFlashBlock});
  ASSERT_TRUE(flash_->make_directory("d").has_value());
  ASSERT_TRUE(flash_->make_directory("e").has_value());
  put("d/a", std::string(9000, 'x'));
  put("d/b", std::string(5000, 'x'));
  ASSERT_TRUE(flash_->rename("d/a", "d/b").has_value());
  ASSERT_TRUE(flash_->rename("d", "e").has_value());
  put("c", "");
  const std::uint64_t kept = free_bytes();
  EXPECT_EQ(kept, (64 - 1 - 3 - 1) * kFlashBlock);
  flash_ = open_root({.capacity_bytes = 64 * kFlashBlock});
  EXPECT_EQ(free_bytes(), kept);
}

TEST_F(LinuxFlashTest, TwoThreadsAtOnce_EachSeesItsOwnFilesAndTheQuotaHolds) {
  flash_ = open_root({.capacity_bytes = 32 * kFlashBlock});
  const auto work = [&](const std::string& name) {
    const std::string text(3 * kFlashBlock, name[0]);
    for (int i = 0; i < 300; ++i) {
      const auto file = flash_->open(name, kReplace);
      ASSERT_TRUE(file.has_value());
      ASSERT_EQ(flash_->write(*file, as_bytes(text)), text.size());
      ASSERT_TRUE(flash_->close(*file).has_value());
      ASSERT_EQ(get(name)->substr(0, 2), text.substr(0, 2));
      ASSERT_TRUE(flash_->rename(name, name + ".done").has_value());
      ASSERT_TRUE(flash_->remove_file(name + ".done").has_value());
    }
  };
  std::thread other([&] { work("other"); });
  work("mine");
  other.join();
  EXPECT_EQ(free_bytes(), 32 * kFlashBlock);
}

TEST_F(LinuxFlashTest, ReplaceFile_LeavesTheNewContentAndNoTemporary) {
  put("config", "old");
  ASSERT_TRUE(replace_file(*flash_, "/config", as_bytes("new")).has_value());
  EXPECT_EQ(get("config"), "new");
  EXPECT_EQ(get("config.new").error(), FsError::not_found);
  std::uint8_t buffer[4];
  EXPECT_EQ(as_text(*read_file(*flash_, "config", buffer)), "new");
  EXPECT_EQ(as_text(*read_file(*flash_, "config", MutableBytes{buffer, 3})), "new");
  EXPECT_EQ(read_file(*flash_, "config", MutableBytes{buffer, 2}).error(), FsError::no_space);
}

TEST_F(LinuxFlashTest, ReplaceFileThatFails_KeepsTheOldContentAndNoTemporary) {
  flash_ = open_root({.capacity_bytes = 2 * kFlashBlock});
  put("config", "old");
  const std::string large(3 * kFlashBlock, 'x');
  EXPECT_EQ(replace_file(*flash_, "config", as_bytes(large)).error(), FsError::no_space);
  EXPECT_EQ(get("config"), "old");
  EXPECT_EQ(get("config.new").error(), FsError::not_found);
  EXPECT_EQ(replace_file(*flash_, "/", as_bytes("x")).error(), FsError::is_a_directory);
  EXPECT_EQ(replace_file(*flash_, "no/where", as_bytes("x")).error(), FsError::not_found);
  FileReplacement abandoned(*flash_);
  ASSERT_TRUE(abandoned.begin("config").has_value());
  ASSERT_TRUE(abandoned.write(as_bytes("half")).has_value());
  abandoned.abandon();
  EXPECT_EQ(abandoned.commit().error(), FsError::invalid);
  EXPECT_EQ(get("config"), "old");
}

// A limit on file sizes is how an unprivileged process makes the kernel itself run out of room.
TEST_F(LinuxFlashTest, KernelOutOfRoom_AnswersNoSpace) {
  ASSERT_NE(std::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit tight{.rlim_cur = 10, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto file = flash_->open("a", kReplace);
  const auto first = flash_->write(*file, as_bytes("0123456789abc"));
  const auto second = flash_->write(*file, as_bytes("abc"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(first, 10u);
  EXPECT_EQ(second.error(), FsError::no_space);
}

TEST_F(LinuxFlashTest, RootThatIsNoDirectory_IsRefused) {
  EXPECT_EQ(LinuxFlash::open_root("/nonexistent").error(), FsError::not_found);
  put("file", "x");
  EXPECT_EQ(LinuxFlash::open_root((root_ / "file").string()).error(), FsError::not_a_directory);
}

}  // namespace
}  // namespace mqboard::port
