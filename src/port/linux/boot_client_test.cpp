#include "port/linux/boot_client.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "port/linux/flash.hpp"
#include "port/linux/temporary_directory.hpp"

namespace mqboard::port {
namespace {

using boot::BootMode;
using boot::ModeRequest;
using boot::ResetCause;
using boot::ResetOrigin;
using boot::SlotId;
using boot::SlotState;

class BootClientTest : public testing::Test {
 protected:
  BootClientTest() : rtc_(*RtcMapping::create()) {
    rtc_.memory().format();
    rtc_.memory().store_system({.boot_count = 4,
                                .cause = ResetCause::crash,
                                .choice = {.image = boot::BootImage::b, .kind = boot::BootKind::trial},
                                .max_failed_boots = 3});
    files_ = std::move(*LinuxFlash::open_root(directory_.path()));
    store_ = std::make_unique<boot::SlotStore>(*files_);
    EXPECT_TRUE(store_->prepare().has_value());
    EXPECT_TRUE(store_->store(SlotId::b, {.state = SlotState::trial, .attempts = 1}).has_value());
  }
  ~BootClientTest() override {
    ::unsetenv(kRtcVariable);
    ::unsetenv(kSlotsVariable);
  }

  std::expected<BootClient, std::string> connect() {
    ::setenv(kRtcVariable, std::to_string(::dup(rtc_.fd())).c_str(), 1);
    ::setenv(kSlotsVariable, directory_.path().c_str(), 1);
    return BootClient::connect({});
  }

  SlotState stored_state() {
    store_->load();
    return store_->record(SlotId::b).state;
  }

  TemporaryDirectory directory_;
  RtcMapping rtc_;
  std::unique_ptr<LinuxFlash> files_;
  std::unique_ptr<boot::SlotStore> store_;
};

TEST_F(BootClientTest, UnderMqboot_SeesThisRunAndHidesItFromItsChildren) {
  const auto client = connect();
  ASSERT_TRUE(client.has_value()) << client.error();
  EXPECT_TRUE(client->under_mqboot());
  EXPECT_EQ(client->system().boot_count, 4u);
  EXPECT_EQ(client->system().cause, ResetCause::crash);
  EXPECT_EQ(client->slots()->record(SlotId::b).state, SlotState::trial);
  EXPECT_EQ(std::getenv(kRtcVariable), nullptr);
  EXPECT_EQ(std::getenv(kSlotsVariable), nullptr);
}

TEST_F(BootClientTest, PatsRequestsAndMemory_ReachMqboot) {
  const auto client = connect();
  client->arm_watchdog(Millis{7000});
  client->pat();
  EXPECT_TRUE(client->rtc().user().write(as_bytes("kept")));
  const int status = client->prepare_reset(boot::ResetRequest::deep_sleep, ModeRequest::none,
                                           ResetOrigin::application, Millis{1500});
  EXPECT_EQ(status, boot::kExitDeepSleep);
  const boot::RtcMemory seen = rtc_.memory();
  EXPECT_EQ(seen.control().pats(), 1u);
  EXPECT_EQ(seen.control().watchdog_timeout(), Millis{7000});
  EXPECT_EQ(seen.control().sleep(), Millis{1500});
  EXPECT_EQ(as_text(seen.user().read()), "kept");
}

TEST_F(BootClientTest, BoardInOrder_ConfirmsItsTrialDurably) {
  auto client = connect();
  ASSERT_TRUE(client->set_in_order().has_value());
  EXPECT_EQ(stored_state(), SlotState::confirmed);
  EXPECT_TRUE(rtc_.memory().control().in_order());
  EXPECT_TRUE(rtc_.memory().control().confirmed());
}

TEST_F(BootClientTest, RollBack_NeedsAConfirmedImageToGoTo) {
  auto client = connect();
  EXPECT_EQ(client->roll_back().error(), boot::RollbackError::nothing_there);
  ASSERT_TRUE(store_->store(SlotId::a, {.state = SlotState::confirmed}).has_value());
  client = connect();
  ASSERT_TRUE(client->roll_back().has_value());
  EXPECT_EQ(stored_state(), SlotState::bad);
}

TEST_F(BootClientTest, BrokenEnvironment_IsAnErrorNotDevelopment) {
  ::setenv(kRtcVariable, "999", 1);
  EXPECT_FALSE(BootClient::connect({}).has_value());
  ::setenv(kRtcVariable, "x", 1);
  EXPECT_FALSE(BootClient::connect({}).has_value());
  ::setenv(kRtcVariable, std::to_string(::open("/dev/null", O_RDWR)).c_str(), 1);
  EXPECT_FALSE(BootClient::connect({}).has_value());
}

TEST_F(BootClientTest, WithoutMqboot_StartsAsAfterPowerOn) {
  auto client = BootClient::connect({.slots_directory = directory_.path() / "state"});
  ASSERT_TRUE(client.has_value()) << client.error();
  EXPECT_FALSE(client->under_mqboot());
  EXPECT_EQ(client->system().cause, ResetCause::power_on);
  EXPECT_EQ(client->system().boot_count, 1u);
  EXPECT_EQ(client->system().hardware.view(), default_hardware_kind());
  EXPECT_TRUE(client->confirm().has_value());
  boot::CrashStore crashes(*client->slot_files());
  EXPECT_TRUE(crashes.add({.cause = boot::CrashCause::exception}).has_value());
}

TEST_F(BootClientTest, WithoutMqbootNorDirectory_KeepsNothing) {
  auto client = BootClient::connect({});
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(client->slot_files(), nullptr);
  EXPECT_TRUE(client->set_in_order().has_value());
  EXPECT_FALSE(client->roll_back().has_value());
}

TEST_F(BootClientTest, RestartsInTheProcess_CountAsMqbootCountsThem) {
  auto client = BootClient::connect({});
  ASSERT_TRUE(client->rtc().user().write(as_bytes("kept")));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client->system().choice.mode, BootMode::normal);
    client->restart_in_process(ResetCause::hard_reset, ModeRequest::none, ResetOrigin::application);
  }
  EXPECT_EQ(client->system().choice.mode, BootMode::safe);
  EXPECT_EQ(client->system().boot_count, 4u);
  EXPECT_EQ(client->system().cause, ResetCause::hard_reset);
  EXPECT_TRUE(client->set_in_order().has_value());
  client->restart_in_process(ResetCause::hard_reset, ModeRequest::none, ResetOrigin::application);
  EXPECT_EQ(client->system().choice.mode, BootMode::normal);
  EXPECT_EQ(as_text(client->rtc().user().read()), "kept");
}

TEST_F(BootClientTest, TooManySoftResets_BecomeAHardReset) {
  auto client = BootClient::connect({});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client->begin_soft_reset());
  EXPECT_EQ(client->system().cause, ResetCause::soft_reset);
  EXPECT_FALSE(client->begin_soft_reset());
  EXPECT_TRUE(client->set_in_order().has_value());
  EXPECT_TRUE(client->begin_soft_reset());
}

TEST(RtcMappingTest, File_KeepsItsContentBetweenMappings) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "rtc";
  {
    const auto mapping = RtcMapping::open_file(path);
    ASSERT_TRUE(mapping.has_value()) << mapping.error();
    mapping->memory().format();
    EXPECT_TRUE(mapping->memory().user().write(as_bytes("kept")));
  }
  const auto again = RtcMapping::open_file(path);
  EXPECT_EQ(as_text(again->memory().user().read()), "kept");
  EXPECT_FALSE(RtcMapping::open_file(directory.path()).has_value());
}

}  // namespace
}  // namespace mqboard::port
