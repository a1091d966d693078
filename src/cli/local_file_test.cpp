#include "cli/local_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

namespace fs = std::filesystem;

class LocalFile : public ::testing::Test {
 protected:
  LocalFile() {
    std::string name = ::testing::TempDir() + "mqb-local-XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~LocalFile() override { fs::remove_all(directory_); }

  [[nodiscard]] std::string path(std::string_view name) const { return join(directory_, name); }
  [[nodiscard]] std::string content(std::string_view name) const {
    std::stringstream text;
    text << std::ifstream(path(name)).rdbuf();
    return text.str();
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  std::string directory_;
};

TEST_F(LocalFile, Target_ReplacesOnlyOnCommit) {
  std::ofstream(path("x")) << "old";
  {
    auto target = LocalTarget::create(path("x"));
    ASSERT_TRUE(target);
    ASSERT_TRUE(target->write(as_bytes("new content")));
    EXPECT_EQ(content("x"), "old");
    ASSERT_TRUE(target->commit());
    EXPECT_EQ(content("x"), "new content");
  }
  EXPECT_EQ(files(), 1U);
}

TEST_F(LocalFile, Target_WithoutCommit_LeavesNothing) {
  {
    auto target = LocalTarget::create(path("x"));
    ASSERT_TRUE(target);
    ASSERT_TRUE(target->write(as_bytes("half")));
    EXPECT_EQ(files(), 1U);
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(LocalFile, Target_KeepsTheModeOfWhatItReplaces) {
  std::ofstream(path("x")) << "old";
  ::chmod(path("x").c_str(), 0751);
  auto target = LocalTarget::create(path("x"));
  ASSERT_TRUE(target && target->commit());
  struct stat info {};
  ASSERT_EQ(::stat(path("x").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0751U);
}

TEST_F(LocalFile, Target_FreshFileFollowsTheUmask) {
  const mode_t before = ::umask(027);
  auto target = LocalTarget::create(path("x"));
  ::umask(before);
  ASSERT_TRUE(target && target->commit());
  struct stat info {};
  ASSERT_EQ(::stat(path("x").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
}

TEST_F(LocalFile, Target_InAMissingDirectoryOrOnADirectory_IsAUsageFailureNamingIt) {
  for (const std::string& name : {path("no/x"), directory_}) {
    const auto target = LocalTarget::create(name);
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().status, ExitStatus::usage);
    EXPECT_NE(target.error().message.find(name), std::string::npos);
  }
}

TEST_F(LocalFile, Source_GivesTheContent) {
  std::ofstream(path("x")) << "abc";
  std::ofstream(path("empty")).flush();
  const auto source = LocalSource::open(path("x"));
  ASSERT_TRUE(source);
  EXPECT_EQ(as_text(source->bytes()), "abc");
  const auto empty = LocalSource::open(path("empty"));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->size(), 0U);
}

TEST_F(LocalFile, Source_MissingOrDirectory_IsAUsageFailureNamingIt) {
  for (const std::string& name : {path("no"), directory_}) {
    const auto source = LocalSource::open(name);
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().status, ExitStatus::usage);
    EXPECT_NE(source.error().message.find(name), std::string::npos);
  }
}

TEST(Paths, BaseName) {
  EXPECT_EQ(base_name("/a/b.py"), "b.py");
  EXPECT_EQ(base_name("b.py"), "b.py");
  EXPECT_EQ(base_name("/a/b/"), "b");
  EXPECT_EQ(base_name("/"), "/");
}

TEST(Paths, Join) {
  EXPECT_EQ(join("/a", "b"), "/a/b");
  EXPECT_EQ(join("/a/", "/b"), "/a/b");
  EXPECT_EQ(join("/", "b"), "/b");
}

}  // namespace
}  // namespace mqboard::cli
