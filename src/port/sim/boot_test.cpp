// The bootloader, the installer and the crash store on a flash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/replace_file.hpp"
#include "core/boot/crash_store.hpp"
#include "port/sim/boot_rig.hpp"

namespace mqboard::port::sim {
namespace {

using boot::BadReason;
using boot::BootImage;
using boot::BootKind;
using boot::BootMode;
using boot::ImageError;
using boot::ResetCause;
using boot::SlotId;
using boot::SlotState;
using testing::ElementsAre;
using testing::IsEmpty;

class BootTest : public testing::Test {
 protected:
  BootTest() { EXPECT_TRUE(rig_.slots().prepare().has_value()); }

  std::vector<std::uint8_t> image(std::string_view version, std::uint32_t counter = 1) {
    return bench_.vendor.image(version, counter, std::string(3000, version[0]));
  }

  // A board that runs confirmed version 1 from slot a, as most of these tests start.
  void start_with_version_1() {
    ASSERT_EQ(rig_.install(BootImage::factory, image("1")), SlotId::a);
    ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->kind, BootKind::trial);
    ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::a).has_value());
  }

  ImageError install_error(Bytes bytes, const std::optional<Sha256>& announced = {}) {
    const auto installed = rig_.install(BootImage::a, bytes, 100, announced);
    EXPECT_FALSE(installed.has_value());
    return installed ? ImageError::storage : installed.error().error;
  }

  const boot::SlotRecord& record(SlotId slot) { return rig_.slots().record(slot); }

  Bench bench_;
  FaultyFlash flash_;
  Rig rig_{flash_, bench_};
};

TEST_F(BootTest, EmptyBoard_StartsTheFactoryImageOrNothing) {
  EXPECT_FALSE(rig_.boot(ResetCause::power_on).has_value());
  const auto choice = rig_.boot(ResetCause::power_on, {.has_factory = true});
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->image, BootImage::factory);
  EXPECT_EQ(choice->mode, BootMode::normal);
}

TEST_F(BootTest, NewImage_IsTriedConfirmedAndStays) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  EXPECT_EQ(rig_.state(SlotId::b), SlotState::fresh);
  const auto trial = rig_.boot(ResetCause::hard_reset);
  EXPECT_EQ(trial->image, BootImage::b);
  EXPECT_EQ(trial->kind, BootKind::trial);
  EXPECT_EQ(trial->version.view(), "2");
  EXPECT_EQ(rig_.state(SlotId::b), SlotState::trial);
  ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::b).has_value());
  for (const ResetCause cause : {ResetCause::power_on, ResetCause::crash, ResetCause::watchdog}) {
    const auto choice = rig_.boot(cause);
    EXPECT_EQ(choice->image, BootImage::b);
    EXPECT_EQ(choice->kind, BootKind::confirmed);
  }
}

TEST_F(BootTest, TrialThatFails_RollsBackToThePreviousImageInNormalMode) {
  start_with_version_1();
  const std::pair<ResetCause, BadReason> ends[] = {{ResetCause::crash, BadReason::crash},
                                                   {ResetCause::watchdog, BadReason::watchdog},
                                                   {ResetCause::hard_reset, BadReason::reset}};
  for (const auto& [cause, reason] : ends) {
    ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
    ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
    const boot::BootEvent event{.last_run = {.cause = cause, .kind = BootKind::trial}, .failed_boots = 0};
    const auto choice = rig_.boot(event, {.max_failed_boots = 1});
    EXPECT_EQ(choice->image, BootImage::a);
    EXPECT_EQ(choice->kind, BootKind::confirmed);
    EXPECT_EQ(choice->mode, BootMode::normal);
    EXPECT_EQ(rig_.state(SlotId::b), SlotState::bad);
    EXPECT_EQ(record(SlotId::b).reason, reason);
    EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
  }
}

TEST_F(BootTest, TrialInterruptedByPowerCuts_IsContinuedThreeTimesInAll) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(rig_.boot(ResetCause::power_on)->image, BootImage::b);
  }
  EXPECT_EQ(rig_.boot(ResetCause::power_on)->image, BootImage::a);
  EXPECT_EQ(record(SlotId::b).reason, BadReason::attempts);
}

TEST_F(BootTest, SpoiledImage_IsNotStarted) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  ASSERT_TRUE(flash_.flip_bit("b/image", 2000).has_value());
  const auto choice = rig_.boot(ResetCause::hard_reset);
  EXPECT_EQ(choice->image, BootImage::a);
  EXPECT_EQ(record(SlotId::b).reason, BadReason::unverifiable);
  EXPECT_THAT(rig_.events(), ElementsAre("b new: hash_mismatch", "b bad: unverifiable"));
}

TEST_F(BootTest, SpoiledConfirmedImage_IsPassedOverForTheOlderOneAndKeepsItsRecord) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2", 9)), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::b).has_value());
  ASSERT_TRUE(flash_.flip_bit("b/image", 100).has_value());
  EXPECT_EQ(rig_.boot(ResetCause::crash)->image, BootImage::a);
  EXPECT_EQ(rig_.state(SlotId::b), SlotState::confirmed);
  ASSERT_TRUE(flash_.flip_bit("b/image", 100).has_value());
  EXPECT_EQ(rig_.boot(ResetCause::crash)->image, BootImage::b);
}

TEST_F(BootTest, OnlyImageFailingItsTrial_IsTheLastResortInSafeModeAndMayBeConfirmed) {
  ASSERT_EQ(rig_.install(BootImage::factory, image("1")), SlotId::a);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->kind, BootKind::trial);
  const auto choice = rig_.boot(ResetCause::crash);
  EXPECT_EQ(choice->image, BootImage::a);
  EXPECT_EQ(choice->kind, BootKind::last_resort);
  EXPECT_EQ(choice->mode, BootMode::safe);
  EXPECT_EQ(rig_.state(SlotId::a), SlotState::bad);
  EXPECT_EQ(rig_.boot(ResetCause::crash, {.has_factory = true})->image, BootImage::factory);
  ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::a).has_value());
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->kind, BootKind::confirmed);
}

TEST_F(BootTest, SlotsOfAnotherHardware_AreNotStarted) {
  start_with_version_1();
  bench_.policy.hardware = *boot::Label::make("other");
  EXPECT_FALSE(rig_.boot(ResetCause::power_on).has_value());
  EXPECT_THAT(rig_.events(), ElementsAre("a confirmed: wrong_hardware", "b empty: storage"));
}

TEST_F(BootTest, TrialThatCannotBeRecorded_IsNotStarted) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  flash_.restart_count();
  flash_.fail_at(1, FsError::io);
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
  EXPECT_THAT(rig_.events(), ElementsAre("b not recorded: EIO"));
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
}

TEST_F(BootTest, VerdictThatCannotBeRecorded_StillKeepsTheBadImageFromStarting) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  flash_.restart_count();
  flash_.fail_at(1, FsError::io);
  EXPECT_EQ(rig_.boot(ResetCause::crash)->image, BootImage::a);
}

TEST_F(BootTest, RecordsLost_StillStartASignedImage) {
  start_with_version_1();
  for (const char* const copy : {"records/a.0", "records/a.1"}) (void)flash_.remove_file(copy);
  const auto choice = rig_.boot(ResetCause::power_on);
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->image, BootImage::a);
  EXPECT_EQ(choice->kind, BootKind::last_resort);
}

TEST_F(BootTest, RollBackByTheOperator_StartsThePreviousImage) {
  start_with_version_1();
  EXPECT_EQ(boot::roll_back(rig_.slots(), BootImage::a).error(), boot::RollbackError::nothing_there);
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  ASSERT_TRUE(boot::roll_back(rig_.slots(), BootImage::b).has_value());
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
  EXPECT_EQ(record(SlotId::b).reason, BadReason::rolled_back);
  EXPECT_EQ(boot::roll_back(rig_.slots(), BootImage::a).error(), boot::RollbackError::nothing_there);
  EXPECT_EQ(boot::roll_back(rig_.slots(), BootImage::factory).error(), boot::RollbackError::nothing_there);
}

TEST_F(BootTest, RollBackBelowTheSecurityFloor_IsRefused) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2", 5)), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::b).has_value());
  EXPECT_EQ(boot::roll_back(rig_.slots(), BootImage::b).error(), boot::RollbackError::downgrade);
}

TEST_F(BootTest, ImageInPiecesOfAnySize_IsInstalledWhole) {
  start_with_version_1();
  const auto update = image("2");
  for (const std::size_t piece : {1u, 255u, 256u, 257u, 5000u}) {
    ASSERT_EQ(rig_.install(BootImage::a, update, piece), SlotId::b) << piece;
    std::vector<std::uint8_t> stored(update.size());
    EXPECT_TRUE(std::ranges::equal(*read_file(flash_, "b/image", stored), update));
  }
  EXPECT_EQ(record(SlotId::b).image_bytes, update.size());
}

TEST_F(BootTest, SuspendedInstallation_GoesOnWhereItStoppedAlsoInAnotherRun) {
  start_with_version_1();
  const auto update = image("2");
  ASSERT_TRUE(rig_.install_part(BootImage::a, update, 700));
  ASSERT_EQ(rig_.boot(ResetCause::crash)->image, BootImage::a);
  ASSERT_EQ(rig_.install_resumed(BootImage::a, update), SlotId::b);
  EXPECT_EQ(rig_.resumed_bytes(), 700u);
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
}

TEST_F(BootTest, SuspendedAfterTheLastByte_NeedsNoMoreThanTheCommit) {
  start_with_version_1();
  const auto update = image("2");
  ASSERT_TRUE(rig_.install_part(BootImage::a, update, update.size()));
  ASSERT_EQ(rig_.install_resumed(BootImage::a, update), SlotId::b);
  EXPECT_EQ(rig_.resumed_bytes(), update.size());
}

TEST_F(BootTest, PartOfAnotherImage_IsReplacedFromTheBeginning) {
  start_with_version_1();
  ASSERT_TRUE(rig_.install_part(BootImage::a, image("3"), 700));
  ASSERT_EQ(rig_.install_resumed(BootImage::a, image("2")), SlotId::b);
  EXPECT_EQ(rig_.resumed_bytes(), 0u);
}

// What was found is compared by who has the image; between that and the end it may spoil.
TEST_F(BootTest, PartThatSpoilsAfterItWasCompared_IsFoundOutAndDoesNotStayInTheWay) {
  start_with_version_1();
  const auto update = image("2");
  ASSERT_TRUE(rig_.install_part(BootImage::a, update, 700));
  boot::SlotInstaller installer(rig_.slots(), bench_.policy, bench_.tools());
  ASSERT_EQ(installer.resume(BootImage::a, sha256(update))->bytes, 700u);
  const auto file = flash_.open("b/image", OpenMode::write);
  ASSERT_TRUE(flash_.seek(*file, 600, SeekFrom::start).has_value());
  ASSERT_TRUE(flash_.write(*file, as_bytes("!")).has_value());
  ASSERT_TRUE(flash_.close(*file).has_value());
  ASSERT_TRUE(installer.go_on().has_value());
  ASSERT_TRUE(installer.write(Bytes{update}.subspan(700)).has_value());
  EXPECT_EQ(installer.commit().error().error, ImageError::hash_mismatch);
  EXPECT_EQ(rig_.state(SlotId::b), SlotState::empty);
  EXPECT_EQ(rig_.install_resumed(BootImage::a, update), SlotId::b);
  EXPECT_EQ(rig_.resumed_bytes(), 0u);
}

TEST_F(BootTest, Resume_FindsNothingToGoOnFromAndChangesNothing) {
  start_with_version_1();
  boot::SlotInstaller installer(rig_.slots(), bench_.policy, bench_.tools());
  const auto found = [&](const std::vector<std::uint8_t>& update) {
    flash_.restart_count();
    const auto prefix = installer.resume(BootImage::a, sha256(update));
    EXPECT_EQ(flash_.operations(), 0u);
    return prefix->bytes;
  };
  const auto update = image("2");
  EXPECT_EQ(found(update), 0u) << "an empty slot";
  EXPECT_EQ(installer.go_on().error().error, ImageError::not_in_progress);
  ASSERT_TRUE(rig_.install_part(BootImage::a, update, 255));
  EXPECT_EQ(found(update), 0u) << "less than a header";
  ASSERT_EQ(rig_.install(BootImage::a, update), SlotId::b);
  EXPECT_EQ(found(update), 0u) << "an image that was installed";
  ASSERT_TRUE(rig_.install_part(BootImage::a, update, 700));
  bench_.policy.hardware = *boot::Label::make("other");
  boot::SlotInstaller stranger(rig_.slots(), bench_.policy, bench_.tools());
  EXPECT_EQ(stranger.resume(BootImage::a, sha256(update))->bytes, 0u) << "what would be refused now";
}

TEST_F(BootTest, ImageInstalledAlready_IsRecognisedUntilItIsTried) {
  start_with_version_1();
  const auto update = image("2");
  boot::SlotInstaller installer(rig_.slots(), bench_.policy, bench_.tools());
  EXPECT_FALSE(installer.next_is(sha256(update)));
  ASSERT_EQ(rig_.install(BootImage::a, update), SlotId::b);
  EXPECT_TRUE(installer.next_is(sha256(update)));
  EXPECT_FALSE(installer.next_is(sha256(image("3"))));
  ASSERT_EQ(rig_.install(BootImage::b, image("3")), SlotId::a);
  EXPECT_FALSE(installer.next_is(sha256(update))) << "the later one is tried first";
  EXPECT_TRUE(installer.next_is(sha256(image("3"))));
}

TEST_F(BootTest, ImageThatFailedItsTrial_IsNotTakenForOneInstalled) {
  start_with_version_1();
  const auto update = image("2");
  boot::SlotInstaller installer(rig_.slots(), bench_.policy, bench_.tools());
  ASSERT_EQ(rig_.install(BootImage::a, update), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  ASSERT_EQ(rig_.boot(ResetCause::crash)->image, BootImage::a);
  EXPECT_FALSE(installer.next_is(sha256(update)));
}

TEST_F(BootTest, RefusedImage_LeavesStorageAlone) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  flash_.restart_count();
  EXPECT_EQ(install_error(bench_.vendor.image("3", 1, "x", "esp32")), ImageError::wrong_hardware);
  EXPECT_EQ(install_error(image("3", 0)), ImageError::downgrade);
  EXPECT_EQ(install_error(Vendor().image("3", 1, "x")), ImageError::unknown_key);
  EXPECT_EQ(install_error(as_bytes(std::string(1000, 'x'))), ImageError::not_an_image);
  auto forged = image("3");
  forged[80] = '4';
  EXPECT_EQ(install_error(forged), ImageError::bad_signature);
  EXPECT_EQ(install_error({}), ImageError::truncated);
  EXPECT_EQ(install_error(Bytes{image("3")}.first(255)), ImageError::truncated);
  EXPECT_EQ(flash_.operations(), 0u);
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
}

TEST_F(BootTest, ShortLongOrAlteredPayload_IsRefusedAndTheRunningImageStays) {
  start_with_version_1();
  const auto update = image("2");
  EXPECT_EQ(install_error(Bytes{update}.first(update.size() - 1)), ImageError::truncated);
  auto longer = update;
  longer.push_back(0);
  EXPECT_EQ(install_error(longer), ImageError::trailing);
  auto altered = update;
  altered[1000] ^= 1;
  EXPECT_EQ(install_error(altered), ImageError::hash_mismatch);
  EXPECT_EQ(rig_.state(SlotId::b), SlotState::empty);
  EXPECT_EQ(flash_.stat("b/image").error(), FsError::not_found);
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
}

TEST_F(BootTest, AnnouncedHash_MustBeThatOfTheWholeFile) {
  start_with_version_1();
  const auto update = image("2");
  EXPECT_EQ(install_error(update, sha256(as_bytes("other"))), ImageError::hash_mismatch);
  EXPECT_EQ(rig_.install(BootImage::a, update, 500, sha256(update)), SlotId::b);
}

TEST_F(BootTest, PlainImage_IsTakenOnlyWhenAllowedAndAnnounced) {
  start_with_version_1();
  const std::string plain(700, 'p');
  const Sha256 hash = sha256(as_bytes(plain));
  EXPECT_EQ(install_error(as_bytes(plain), hash), ImageError::not_an_image);
  bench_.policy.allow_plain = true;
  EXPECT_EQ(install_error(as_bytes(plain)), ImageError::hash_missing);
  ASSERT_EQ(rig_.install(BootImage::a, as_bytes(plain), 100, hash), SlotId::b);
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  EXPECT_EQ(rig_.install(BootImage::a, as_bytes("tiny"), 100, sha256(as_bytes("tiny"))), SlotId::b);
  bench_.policy.allow_plain = false;
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
}

TEST_F(BootTest, InstallDuringATrial_WouldOverwriteTheFallbackAndIsRefused) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2")), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  EXPECT_EQ(rig_.install(BootImage::b, image("3")).error().error, ImageError::trial_pending);
  EXPECT_EQ(rig_.state(SlotId::a), SlotState::confirmed);
}

TEST_F(BootTest, InstallFromTheFactoryImage_SparesTheBetterSlot) {
  start_with_version_1();
  EXPECT_EQ(boot::install_target(rig_.slots(), BootImage::factory), SlotId::b);
  EXPECT_EQ(boot::install_target(rig_.slots(), BootImage::b), SlotId::a);
}

TEST_F(BootTest, FullFlash_EndsTheInstallationWithItsReason) {
  start_with_version_1();
  flash_.set_capacity(4000);
  const auto installed = rig_.install(BootImage::a, image("2"));
  ASSERT_FALSE(installed.has_value());
  EXPECT_EQ(installed.error().error, ImageError::storage);
  EXPECT_EQ(installed.error().storage, FsError::no_space);
  EXPECT_EQ(flash_.stat("b/image").error(), FsError::not_found);
  EXPECT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
}

TEST_F(BootTest, CallsOutOfOrder_AreRefused) {
  boot::SlotInstaller installer(rig_.slots(), bench_.policy, bench_.tools());
  EXPECT_EQ(installer.write(as_bytes("x")).error().error, ImageError::not_in_progress);
  EXPECT_EQ(installer.commit().error().error, ImageError::not_in_progress);
  ASSERT_TRUE(installer.begin(BootImage::factory, {}).has_value());
  installer.abort();
  EXPECT_FALSE(installer.active());
}

TEST_F(BootTest, SecurityFloor_SurvivesOverwritingTheImageThatRaisedIt) {
  start_with_version_1();
  ASSERT_EQ(rig_.install(BootImage::a, image("2", 5)), SlotId::b);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::b);
  ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::b).has_value());
  ASSERT_EQ(rig_.install(BootImage::b, image("3", 5)), SlotId::a);
  ASSERT_EQ(rig_.boot(ResetCause::hard_reset)->image, BootImage::a);
  ASSERT_TRUE(boot::confirm(rig_.slots(), BootImage::a).has_value());
  EXPECT_EQ(install_error(image("4", 4)), ImageError::downgrade);
  rig_.slots().load();
  EXPECT_EQ(rig_.slots().security_floor(), 5u);
}

class CrashStoreTest : public testing::Test {
 protected:
  CrashStoreTest() { EXPECT_TRUE(flash_.make_directory("crash").has_value()); }

  FsResult<boot::CrashId> add(std::string_view detail) {
    return store_.add({.cause = boot::CrashCause::killed, .detail = detail});
  }
  std::vector<boot::CrashId> ids() {
    std::array<boot::CrashStore::Entry, boot::CrashStore::kMaxReports + 1> room;
    std::vector<boot::CrashId> found;
    const auto entries = store_.list(room);
    for (const auto& entry : *entries) found.push_back(entry.id);
    return found;
  }

  FaultyFlash flash_;
  boot::CrashStore store_{flash_};
};

TEST_F(CrashStoreTest, Reports_AreListedReadAndRemoved) {
  EXPECT_THAT(ids(), IsEmpty());
  EXPECT_EQ(add("first"), 1u);
  EXPECT_EQ(add("second"), 2u);
  EXPECT_THAT(ids(), ElementsAre(1, 2));
  std::vector<std::uint8_t> buffer(boot::kMaxCrashReport);
  EXPECT_EQ(boot::decode_crash_report(*store_.read(2, buffer))->detail, "second");
  ASSERT_TRUE(store_.remove(1).has_value());
  EXPECT_EQ(store_.remove(1).error(), FsError::not_found);
  EXPECT_EQ(store_.read(1, buffer).error(), FsError::not_found);
  EXPECT_THAT(ids(), ElementsAre(2));
}

TEST_F(CrashStoreTest, MoreReportsThanKept_DropTheOldest) {
  for (boot::CrashId id = 1; id <= 40; ++id) EXPECT_EQ(add("x"), id);
  ASSERT_EQ(ids().size(), boot::CrashStore::kMaxReports);
  EXPECT_EQ(ids().front(), 25u);
  EXPECT_EQ(ids().back(), 40u);
}

TEST_F(CrashStoreTest, FullFlash_DropsTheOldestForTheNew) {
  while (ids().size() < 5) ASSERT_TRUE(add("x").has_value());
  flash_.set_capacity(flash_.space()->total_bytes - flash_.space()->free_bytes + 10);
  EXPECT_EQ(add("x"), 6u);
  EXPECT_THAT(ids(), ElementsAre(2, 3, 4, 5, 6));
}

TEST_F(CrashStoreTest, ForeignFiles_AreLeftAlone) {
  ASSERT_TRUE(replace_file(flash_, "crash/notes.txt", as_bytes("x")).has_value());
  ASSERT_TRUE(replace_file(flash_, "crash/123", as_bytes("x")).has_value());
  ASSERT_TRUE(flash_.make_directory("crash/00000009").has_value());
  EXPECT_THAT(ids(), IsEmpty());
  EXPECT_EQ(add("x"), 1u);
}

}  // namespace
}  // namespace mqboard::port::sim
