#include "board/update_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/boot/image.hpp"
#include "port/linux/temporary_directory.hpp"

namespace mqboard::board {
namespace {

using command::StatusCode;
using testing::HasSubstr;

class UpdateServiceTest : public testing::Test {
 protected:
  UpdateServiceTest() : key_(port::PrivateKey::generate()) {
    std::filesystem::create_directories(directory_.path() / "keys");
    std::ofstream(directory_.path() / "keys" / "vendor.pub") << port::public_key_to_pem(key_.public_key());
    boot_ = std::make_unique<port::BootClient>(
        std::move(*port::BootClient::connect({.slots_directory = directory_.path()})));
    service_ = make({});
  }

  std::unique_ptr<UpdateService> make(const OtaConfig& config) {
    return std::make_unique<UpdateService>(*boot_, config,
                                           [this](int, std::string_view line) { said_.emplace_back(line); });
  }

  std::string image(boot::Signer& key, const char* hardware = nullptr) {
    const std::string payload(10'000, 'p');
    const std::string kind = hardware == nullptr ? port::default_hardware_kind() : hardware;
    const boot::ImageHeader header{.product = *boot::Label::make("mqboard"),
                                   .hardware = *boot::Label::make(kind),
                                   .version = *boot::Label::make("1.1"),
                                   .security_counter = 1,
                                   .payload_bytes = payload.size(),
                                   .payload_hash = port::sha256(as_bytes(payload))};
    return std::string(as_text(boot::sign_header(header, key))) + payload;
  }

  // The status the installation ends with.
  command::Status install(const std::string& image) {
    auto sink = service_->open(port::sha256(as_bytes(image)));
    if (!sink) return sink.error();
    if (auto written = (*sink)->write(as_bytes(image)); written.code != StatusCode::ok) return written;
    return (*sink)->commit();
  }

  port::TemporaryDirectory directory_;
  port::PrivateKey key_;
  std::unique_ptr<port::BootClient> boot_;
  std::vector<std::string> said_;
  std::unique_ptr<UpdateService> service_;
};

TEST_F(UpdateServiceTest, SignedImage_IsNewInASlotAndSaid) {
  EXPECT_EQ(install(image(key_)).code, StatusCode::ok);
  EXPECT_THAT(service_->status_json(), HasSubstr(R"("a":{"state":"new","version":"1.1")"));
  ASSERT_FALSE(said_.empty());
  EXPECT_THAT(said_.back(), HasSubstr("new firmware in slot a"));
}

TEST_F(UpdateServiceTest, ForeignKeyOtherHardwareAndPlain_AreRefused) {
  port::PrivateKey stranger = port::PrivateKey::generate();
  EXPECT_EQ(install(image(stranger)).code, StatusCode::refused);
  EXPECT_EQ(install(image(key_, "esp32")).code, StatusCode::refused);
  EXPECT_EQ(install(std::string(10'000, 'x')).code, StatusCode::refused);
  EXPECT_THAT(service_->status_json(), HasSubstr(R"("a":{"state":"empty")"));
}

TEST_F(UpdateServiceTest, ShortLongAndGarbledImages_AreAQuestionOfIntegrity) {
  const std::string whole = image(key_);
  std::string garbled = whole;
  garbled[5000] ^= 1;
  for (const std::string& bad : {whole.substr(0, whole.size() - 1), whole + "x", garbled}) {
    EXPECT_EQ(install(bad).code, StatusCode::integrity);
  }
  EXPECT_EQ(install(whole).code, StatusCode::ok) << "and nothing of them is in the way";
}

TEST_F(UpdateServiceTest, SecondInstallation_IsRefusedWhileOneIsUnderWay) {
  const std::string whole = image(key_);
  auto first = service_->open(port::sha256(as_bytes(whole)));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(install(whole).code, StatusCode::busy);
  first->reset();
  EXPECT_EQ(install(whole).code, StatusCode::ok) << "one that is given up makes room";
}

TEST_F(UpdateServiceTest, SuspendedInstallation_IsResumedBehindWhatIsThere) {
  const std::string whole = image(key_);
  const Sha256 hash = port::sha256(as_bytes(whole));
  {
    auto cut = service_->resume(hash);
    EXPECT_EQ((*cut)->found().bytes, 0u);
    EXPECT_EQ((*cut)->write(as_bytes(whole.substr(0, 6000))).code, StatusCode::ok);
    (*cut)->suspend();
  }
  auto rest = service_->resume(hash);
  ASSERT_EQ((*rest)->found().bytes, 6000u);
  EXPECT_EQ((*rest)->found().hash, port::sha256(as_bytes(whole.substr(0, 6000))));
  EXPECT_EQ((*rest)->go_on().code, StatusCode::ok);
  EXPECT_EQ((*rest)->write(as_bytes(whole.substr(6000))).code, StatusCode::ok);
  EXPECT_EQ((*rest)->commit().code, StatusCode::ok);
  EXPECT_TRUE((*service_->resume(hash))->found().identical);
}

TEST_F(UpdateServiceTest, ResumeOfTheSameImage_TakesOverFromTheOneUnderWay) {
  const std::string whole = image(key_);
  const Sha256 hash = port::sha256(as_bytes(whole));
  auto older = service_->resume(hash);
  EXPECT_EQ((*older)->write(as_bytes(whole.substr(0, 6000))).code, StatusCode::ok);
  auto newer = service_->resume(hash);
  EXPECT_EQ((*newer)->found().bytes, 6000u);
  EXPECT_EQ((*older)->write(as_bytes(whole.substr(6000))).code, StatusCode::cancelled);
  EXPECT_EQ((*older)->commit().code, StatusCode::cancelled);
  older->reset();
  EXPECT_EQ((*newer)->go_on().code, StatusCode::ok);
  EXPECT_EQ((*newer)->write(as_bytes(whole.substr(6000))).code, StatusCode::ok);
  auto other = service_->resume(port::sha256(as_bytes("another image")));
  EXPECT_EQ(other.error().code, StatusCode::busy);
  EXPECT_EQ((*newer)->commit().code, StatusCode::ok);
}

TEST_F(UpdateServiceTest, PlainImage_IsTakenWhereTheConfigurationAllowsIt) {
  service_ = make({.allow_unsigned = true, .public_key = {}});
  EXPECT_EQ(install(std::string(10'000, 'x')).code, StatusCode::ok);
}

TEST_F(UpdateServiceTest, KeyOfTheConfiguration_IsTrustedTooAndABadOneIsReported) {
  port::PrivateKey other = port::PrivateKey::generate();
  const std::string path = directory_.path() / "other.pub";
  std::ofstream(path) << port::public_key_to_pem(other.public_key());
  service_ = make({.allow_unsigned = false, .public_key = path});
  EXPECT_EQ(install(image(other)).code, StatusCode::ok);
  (void)make({.allow_unsigned = false, .public_key = directory_.path() / "nothing"});
  EXPECT_THAT(said_.back(), HasSubstr("ota.public_key: "));
}

TEST_F(UpdateServiceTest, RollBackWithNothingToGoBackTo_IsRefused) {
  EXPECT_EQ(service_->roll_back().code, StatusCode::refused);
}

}  // namespace
}  // namespace mqboard::board
