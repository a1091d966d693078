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
    return std::make_unique<UpdateService>(
        *boot_, config, [this](int, std::string_view line) { said_.emplace_back(line); },
        [this] { return now_; });
  }

  // One who is heard now, and answers when `alive`; or, of v1, cannot be asked.
  UpdateOperator installer(const char* who = "somebody") {
    heard_at_ = now_;
    return {.who = who,
            .heard_at = [this] { return heard_at_; },
            .ask = [this] { ++asked_; },
            .displaced = [this](const command::Status& why) { displaced_.emplace_back(why.text.view()); }};
  }
  UpdateOperator v1_installer() {
    auto one = installer();
    one.ask = {};
    return one;
  }

  std::string image(boot::Signer& key, const char* hardware = nullptr, const char* version = "1.1") {
    const std::string payload(10'000, 'p');
    const std::string kind = hardware == nullptr ? port::default_hardware_kind() : hardware;
    const boot::ImageHeader header{.product = *boot::Label::make("mqboard"),
                                   .hardware = *boot::Label::make(kind),
                                   .version = *boot::Label::make(version),
                                   .security_counter = 1,
                                   .payload_bytes = payload.size(),
                                   .payload_hash = port::sha256(as_bytes(payload))};
    return std::string(as_text(boot::sign_header(header, key))) + payload;
  }

  // The status the installation ends with.
  command::Status install(const std::string& image) {
    auto sink = service_->open(port::sha256(as_bytes(image)), newcomer());
    if (!sink) return sink.error();
    if (auto written = (*sink)->write(as_bytes(image)); written.code != StatusCode::ok) return written;
    return (*sink)->commit();
  }

  // Of the installation that comes second.
  UpdateOperator newcomer() {
    return {.who = "newcomer", .heard_at = [this] { return now_; }, .ask = [] {}, .displaced = {}};
  }

  TimePoint now_{Millis{1'000'000}};
  TimePoint heard_at_{};
  int asked_ = 0;
  std::vector<std::string> displaced_;
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

class UpdateTurns : public UpdateServiceTest {
 protected:
  UpdateTurns() {
    older_ = *service_->open(port::sha256(as_bytes(first_)), installer("session 12ab"));
    EXPECT_EQ(older_->write(as_bytes(first_.substr(0, 6000))).code, StatusCode::ok);
  }
  bool is_gone_for_another() { return install(second_).code == StatusCode::ok; }

  const std::string first_ = image(key_);
  const std::string second_ = image(key_, nullptr, "1.2");
  std::unique_ptr<UpdateSink> older_;
};

TEST_F(UpdateTurns, OneThatIsGivenUp_MakesRoom) {
  older_.reset();
  EXPECT_EQ(install(second_).code, StatusCode::ok);
}

TEST_F(UpdateTurns, OperatorWhoAnswers_KeepsHisTurn) {
  auto refused = install(second_);
  EXPECT_EQ(refused.code, StatusCode::busy);
  EXPECT_EQ(asked_, 1);
  EXPECT_TRUE(service_->undecided());
  heard_at_ = now_ += Millis{30};
  now_ += Millis{250};
  refused = install(second_);
  EXPECT_EQ(refused.code, StatusCode::busy);
  EXPECT_FALSE(service_->undecided());
  EXPECT_EQ(refused.text,
            "another update is being installed: version 1.1, 6000 bytes so far, by session 12ab");
  EXPECT_EQ(older_->write(as_bytes(first_.substr(6000))).code, StatusCode::ok);
  EXPECT_EQ(older_->commit().code, StatusCode::ok);
}

TEST_F(UpdateTurns, OperatorWhoDoesNotAnswer_LosesHisTurn) {
  now_ += Millis{40'000};  // that he was silent until now means nothing: nobody asked him
  EXPECT_FALSE(is_gone_for_another());
  now_ += UpdateService::kAnswerTime - Millis{1};
  EXPECT_FALSE(is_gone_for_another());
  EXPECT_TRUE(service_->undecided());
  EXPECT_GE(asked_, 2) << "one question may be lost";
  now_ += Millis{1};
  EXPECT_TRUE(is_gone_for_another());
  EXPECT_THAT(displaced_, testing::ElementsAre(HasSubstr("nothing was heard from here")));
  EXPECT_EQ(older_->write(as_bytes("x")).code, StatusCode::cancelled);
  EXPECT_EQ(older_->commit().code, StatusCode::cancelled);
}

TEST_F(UpdateTurns, OneWhoAnsweredLongAgo_IsAskedAnew) {
  EXPECT_FALSE(is_gone_for_another());
  heard_at_ = now_ += Millis{30};
  now_ += Millis{60'000};
  EXPECT_FALSE(is_gone_for_another());
  EXPECT_TRUE(service_->undecided());
  now_ += UpdateService::kAnswerTime;
  EXPECT_TRUE(is_gone_for_another());
}

TEST_F(UpdateTurns, OperatorOfV1_LosesHisTurnBySilence) {
  older_ = nullptr;
  older_ = *service_->open(port::sha256(as_bytes(first_)), v1_installer());
  EXPECT_FALSE(is_gone_for_another());
  heard_at_ = now_ += Millis{14'000};  // a slow one
  EXPECT_FALSE(is_gone_for_another());
  now_ += UpdateService::kSilence - Millis{1};
  EXPECT_FALSE(is_gone_for_another());
  now_ += Millis{1};
  EXPECT_TRUE(is_gone_for_another());
}

TEST_F(UpdateTurns, SameImageFromTheBeginning_TakesTheTurnAtOnce) {
  EXPECT_EQ(install(first_).code, StatusCode::ok);
  EXPECT_THAT(displaced_, testing::ElementsAre("a newer installation of the same image goes on with it"));
}

TEST_F(UpdateTurns, RestOfAnInstallationByV1_IsFoundByANewerOne) {
  older_ = nullptr;
  older_ = *service_->open(port::sha256(as_bytes(first_)), v1_installer());
  EXPECT_EQ(older_->write(as_bytes(first_.substr(0, 6000))).code, StatusCode::ok);
  EXPECT_EQ((*service_->resume(port::sha256(as_bytes(first_)), installer()))->found().bytes, 6000u);
}

TEST_F(UpdateServiceTest, SuspendedInstallation_IsResumedBehindWhatIsThere) {
  const std::string whole = image(key_);
  const Sha256 hash = port::sha256(as_bytes(whole));
  {
    auto cut = service_->resume(hash, installer());
    EXPECT_EQ((*cut)->found().bytes, 0u);
    EXPECT_EQ((*cut)->write(as_bytes(whole.substr(0, 6000))).code, StatusCode::ok);
    (*cut)->suspend();
  }
  auto rest = service_->resume(hash, installer());
  ASSERT_EQ((*rest)->found().bytes, 6000u);
  EXPECT_EQ((*rest)->found().hash, port::sha256(as_bytes(whole.substr(0, 6000))));
  EXPECT_EQ((*rest)->go_on().code, StatusCode::ok);
  EXPECT_EQ((*rest)->write(as_bytes(whole.substr(6000))).code, StatusCode::ok);
  EXPECT_EQ((*rest)->commit().code, StatusCode::ok);
  EXPECT_TRUE((*service_->resume(hash, installer()))->found().identical);
}

TEST_F(UpdateServiceTest, ResumeOfTheSameImage_TakesOverFromTheOneUnderWay) {
  const std::string whole = image(key_);
  const Sha256 hash = port::sha256(as_bytes(whole));
  auto older = service_->resume(hash, installer());
  EXPECT_EQ((*older)->write(as_bytes(whole.substr(0, 6000))).code, StatusCode::ok);
  auto newer = service_->resume(hash, installer());
  EXPECT_EQ((*newer)->found().bytes, 6000u);
  EXPECT_EQ((*older)->write(as_bytes(whole.substr(6000))).code, StatusCode::cancelled);
  EXPECT_EQ((*older)->commit().code, StatusCode::cancelled);
  older->reset();
  EXPECT_EQ((*newer)->go_on().code, StatusCode::ok);
  EXPECT_EQ((*newer)->write(as_bytes(whole.substr(6000))).code, StatusCode::ok);
  auto other = service_->resume(port::sha256(as_bytes("another image")), newcomer());
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
