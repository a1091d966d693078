#include "boot/image_tool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "port/linux/temporary_directory.hpp"

namespace mqboard::boot {
namespace {

using testing::HasSubstr;

class ImageToolTest : public testing::Test {
 protected:
  ImageToolTest() {
    EXPECT_EQ(run({"keygen", at("vendor")}), 0);
    std::ofstream(at("payload"), std::ios::binary) << std::string(5000, 'p');
  }

  std::string at(const std::string& name) { return directory_.path() / name; }
  int run(const std::vector<std::string>& words) {
    out_.clear();
    err_.clear();
    return run_image_tool(words, out_, err_);
  }
  int build(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"build", "--key", at("vendor.key"), "--version", "1.2.3"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {at("payload"), at("image")});
    return run(words);
  }
  int verify() { return run({"verify", "--key", at("vendor.pub"), at("image")}); }

  port::TemporaryDirectory directory_;
  std::string out_, err_;
};

TEST_F(ImageToolTest, BuiltImage_VerifiesAndShowsWhatItIs) {
  ASSERT_EQ(build({"--security-counter", "7", "--hardware", "linux-test"}), 0) << err_;
  EXPECT_EQ(verify(), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("good, version 1.2.3"));
  ASSERT_EQ(run({"inspect", at("image")}), 0);
  for (const char* const line : {"product: mqboard\n", "hardware: linux-test\n", "version: 1.2.3\n",
                                 "security_counter: 7\n", "payload_bytes: 5000\n", "payload: ok\n"}) {
    EXPECT_THAT(out_, HasSubstr(line));
  }
  ASSERT_EQ(run({"inspect", "-o", "json", at("image")}), 0);
  EXPECT_THAT(out_, testing::StartsWith("{\"product\": \"mqboard\", \"hardware\": \"linux-test\""));
  EXPECT_THAT(out_, testing::EndsWith("\"security_counter\": 7, \"payload_bytes\": 5000}\n"));
}

TEST_F(ImageToolTest, VerifyForOtherHardware_Fails) {
  ASSERT_EQ(build({"--hardware", "linux-test"}), 0);
  EXPECT_EQ(run({"verify", "--key", at("vendor.pub"), "--hardware", "esp32", at("image")}), 1);
  EXPECT_THAT(err_, HasSubstr("other hardware"));
}

TEST_F(ImageToolTest, AlteredOrCutImage_DoesNotVerify) {
  ASSERT_EQ(build(), 0);
  const auto size = std::filesystem::file_size(at("image"));
  EXPECT_EQ(size, 5256u);
  for (const std::streamoff place : {90, 200, 1000}) {
    ASSERT_EQ(build(), 0);
    std::fstream(at("image"), std::ios::in | std::ios::out | std::ios::binary).seekp(place).put('!');
    EXPECT_EQ(verify(), 1) << place;
  }
  ASSERT_EQ(build(), 0);
  std::filesystem::resize_file(at("image"), size - 1);
  EXPECT_EQ(verify(), 1);
  EXPECT_THAT(err_, HasSubstr("shorter"));
  EXPECT_EQ(run({"sign", "--key", at("vendor.key"), at("image")}), 1);
}

TEST_F(ImageToolTest, SignedAgain_TrustsTheOtherKeyOnly) {
  ASSERT_EQ(build(), 0);
  ASSERT_EQ(run({"keygen", at("other")}), 0);
  EXPECT_EQ(run({"verify", "--key", at("other.pub"), at("image")}), 1);
  ASSERT_EQ(run({"sign", "--key", at("other.key"), at("image")}), 0) << err_;
  EXPECT_EQ(run({"verify", "--key", at("other.pub"), at("image")}), 0);
  EXPECT_EQ(verify(), 1);
}

TEST_F(ImageToolTest, PrivateKey_IsReadableByItsOwnerOnlyAndNeverOverwritten) {
  struct stat info {};
  ASSERT_EQ(::stat(at("vendor.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(run({"keygen", at("vendor")}), 1);
  EXPECT_THAT(err_, HasSubstr("exists already"));
}

TEST_F(ImageToolTest, Mistakes_NameTheThing) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"frobnicate"}), 2);
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_EQ(run({"build", at("payload"), at("image")}), 2);
  EXPECT_THAT(err_, HasSubstr("--key is missing"));
  EXPECT_EQ(run({"inspect"}), 2);
  EXPECT_EQ(run({"inspect", "-o", "xml", at("image")}), 2);
  EXPECT_EQ(run({"inspect", at("nothing")}), 1);
  EXPECT_THAT(err_, HasSubstr("nothing: No such file"));
  EXPECT_EQ(run({"inspect", at("payload")}), 1);
  EXPECT_THAT(err_, HasSubstr("not a firmware image"));
  EXPECT_EQ(build({"--hardware", "has space"}), 1);
  EXPECT_EQ(build({"--security-counter", "-1"}), 1);
  EXPECT_EQ(run({"build", "--key", at("vendor.pub"), "--version", "1", at("payload"), at("image")}), 1);
  EXPECT_THAT(err_, HasSubstr("vendor.pub"));
}

}  // namespace
}  // namespace mqboard::boot
