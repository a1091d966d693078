#include "cli/profile.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

constexpr const char* kFile = R"(default = "kitchen"
[kitchen]
server = "mqtts://broker.example"
prefix = "esp32/kitchen"
port = 8884
tls = true
timeout = 2.5
[hall]
prefix = "esp32/hall"
)";

class ProfileFile : public ::testing::Test {
 protected:
  ProfileFile() {
    std::string name = ::testing::TempDir() + "mqb-profile-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/mqboard/boards.toml";
  }
  ~ProfileFile() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::string path_;
};

TEST(Profiles, Parse_FindsTheDefaultAndTheNamed) {
  const auto profiles = Profiles::parse(kFile, "boards.toml");
  ASSERT_TRUE(profiles) << profiles.error().message;
  const auto standard = profiles->find("");
  ASSERT_TRUE(standard && *standard);
  EXPECT_EQ((*standard)->get(Key::prefix), "esp32/kitchen");
  EXPECT_EQ((*standard)->get(Key::port), "8884");
  EXPECT_EQ((*standard)->get(Key::tls), "true");
  EXPECT_EQ((*standard)->get(Key::timeout), "2.5");
  const auto hall = profiles->find("hall");
  ASSERT_TRUE(hall && *hall);
  EXPECT_EQ((*hall)->get(Key::prefix), "esp32/hall");
}

TEST(Profiles, Find_UnknownName_IsAUsageFailure) {
  const auto profiles = Profiles::parse(kFile, "boards.toml");
  ASSERT_TRUE(profiles);
  const auto found = profiles->find("cellar");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().status, ExitStatus::usage);
  EXPECT_NE(found.error().message.find("cellar"), std::string::npos);
}

TEST(Profiles, Find_WithoutADefault_IsNothing) {
  const auto profiles = Profiles::parse("[a]\nprefix = 'x'\n", "boards.toml");
  ASSERT_TRUE(profiles);
  const auto found = profiles->find("");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST(Profiles, Mistakes_AreReportedWithFileAndLine) {
  const std::pair<const char*, const char*> cases[] = {{"x = 1\n", "boards.toml:1:"},
                                                       {"[a]\nprefx = 'p'\n", "boards.toml:2:"},
                                                       {"[a]\nprefix = ['p']\n", "boards.toml:2:"},
                                                       {"[a]\nverbose = 1\n", "boards.toml:2:"},
                                                       {"[a]\nprefix = 'p\n", "boards.toml:2:"},
                                                       {"[a.b]\nprefix = 'p'\n", "boards.toml:1:"}};
  for (const auto& [text, where] : cases) {
    const auto profiles = Profiles::parse(text, "boards.toml");
    ASSERT_FALSE(profiles) << text;
    EXPECT_EQ(profiles.error().status, ExitStatus::usage);
    EXPECT_NE(profiles.error().message.find(where), std::string::npos) << profiles.error().message;
  }
}

TEST(Profiles, Put_FirstBoardBecomesTheDefault_AndBadValuesAreRefused) {
  auto profiles = Profiles::parse("", "boards.toml");
  ASSERT_TRUE(profiles);
  Layer layer;
  layer.set(Key::prefix, "esp32/a");
  layer.set(Key::verbose, "1");  // no business of a profile
  ASSERT_TRUE(profiles->put("a", layer));
  EXPECT_EQ(profiles->default_name(), "a");
  EXPECT_FALSE(profiles->boards().front().layer.get(Key::verbose));
  layer.set(Key::port, "0");
  EXPECT_FALSE(profiles->put("b", layer));
  EXPECT_FALSE(profiles->put("b c", Layer{}));
  EXPECT_FALSE(profiles->put("default", Layer{}));
  EXPECT_EQ(profiles->boards().size(), 1U);
}

TEST(Profiles, Remove_TheDefault_LeavesNone) {
  auto profiles = Profiles::parse(kFile, "boards.toml");
  ASSERT_TRUE(profiles);
  ASSERT_TRUE(profiles->remove("kitchen"));
  EXPECT_EQ(profiles->default_name(), "");
  EXPECT_FALSE(profiles->remove("kitchen"));
}

TEST(Profiles, ToToml_ParsesBackToTheSame) {
  auto profiles = Profiles::parse(kFile, "boards.toml");
  ASSERT_TRUE(profiles);
  Layer odd;
  odd.set(Key::password, "quote\" back\\slash \xc3\xa4 'single'");
  odd.set(Key::insecure, "true");
  odd.set(Key::prefix, "a/b");
  ASSERT_TRUE(profiles->put("odd", odd));
  const auto again = Profiles::parse(profiles->to_toml(), "boards.toml");
  ASSERT_TRUE(again) << again.error().message << profiles->to_toml();
  EXPECT_EQ(again->to_toml(), profiles->to_toml());
  EXPECT_EQ((*again->find("odd"))->get(Key::password), odd.get(Key::password));
  EXPECT_EQ((*again->find("odd"))->get(Key::insecure), "true");
  EXPECT_EQ((*again->find("kitchen"))->get(Key::timeout), "2.5");
}

TEST_F(ProfileFile, MissingFile_IsEmpty) {
  const auto profiles = Profiles::load(path_);
  ASSERT_TRUE(profiles);
  EXPECT_TRUE(profiles->boards().empty());
}

TEST_F(ProfileFile, Save_MakesAFileOnlyItsOwnerReads) {
  auto profiles = Profiles::load(path_);
  ASSERT_TRUE(profiles);
  Layer layer;
  layer.set(Key::password, "secret");
  ASSERT_TRUE(profiles->put("a", layer));
  ASSERT_TRUE(profiles->save());
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto again = Profiles::load(path_);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again->find("a"))->get(Key::password), "secret");
}

TEST_F(ProfileFile, PasswordOthersCanRead_IsRefused) {
  std::filesystem::create_directories(directory_ + "/mqboard");
  std::ofstream(path_) << "[a]\npassword = 'x'\n";
  ::chmod(path_.c_str(), 0644);
  const auto open = Profiles::load(path_);
  ASSERT_FALSE(open);
  EXPECT_NE(open.error().message.find("chmod 600"), std::string::npos);
  ::chmod(path_.c_str(), 0600);
  EXPECT_TRUE(Profiles::load(path_));
  std::ofstream(path_) << "[a]\nprefix = 'x'\n";
  ::chmod(path_.c_str(), 0644);
  EXPECT_TRUE(Profiles::load(path_)) << "without a password it may be read by anybody";
}

TEST(ProfilesPath, FollowsTheXdgSpecification) {
  const auto path = [](const char* config, const char* home) {
    return profiles_path([=](const char* name) { return std::string_view(name) == "HOME" ? home : config; });
  };
  EXPECT_EQ(path("/c", "/h"), "/c/mqboard/boards.toml");
  EXPECT_EQ(path(nullptr, "/h"), "/h/.config/mqboard/boards.toml");
  EXPECT_EQ(path("relative", "/h"), "/h/.config/mqboard/boards.toml") << "relative paths are to be ignored";
  EXPECT_EQ(path(nullptr, nullptr), "");
}

}  // namespace
}  // namespace mqboard::cli
