// mqboot as a real process with a firmware that obeys the test.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "core/boot/crash_store.hpp"
#include "core/boot/image.hpp"
#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/boot_client.hpp"
#include "port/linux/flash.hpp"
#include "port/linux/temporary_directory.hpp"

namespace mqboard::boot {
namespace {

using testing::HasSubstr;
using Report = std::map<std::string, std::string>;

constexpr int kDeadlineMs = 30'000;
constexpr int kCommands = 100;
constexpr int kReports = 101;

class MqbootTest : public testing::Test {
 protected:
  MqbootTest() : slots_(directory_.path() / "slots"), key_(port::PrivateKey::generate()) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    command_reader_.reset(ends[0]);
    command_writer_.reset(ends[1]);
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    report_reader_.reset(ends[0]);
    report_writer_.reset(ends[1]);
    std::filesystem::create_directories(slots_ / "keys");
    std::ofstream(slots_ / "keys" / "vendor.pub") << port::public_key_to_pem(key_.public_key());
  }

  ~MqbootTest() override {
    if (pid_ > 0) stop();
  }

  void start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {MQB_MQBOOT, "--slots", slots_, "--flash",
                                          directory_.path() / "flash"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // also when the test dies
    ::dup2(command_reader_.get(), kCommands);
    ::dup2(report_writer_.get(), kReports);
    ::execv(MQB_MQBOOT, pointers.data());
    ::_exit(127);
  }

  void start_factory(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--factory", MQB_FAKE_FIRMWARE});
    start(more);
  }

  // The next line the firmware says; empty when it says nothing for a long time.
  std::string next_line() {
    std::string line;
    for (;;) {
      pollfd source{.fd = report_reader_.get(), .events = POLLIN, .revents = 0};
      char c = 0;
      if (::poll(&source, 1, kDeadlineMs) != 1 || ::read(report_reader_.get(), &c, 1) != 1) return {};
      if (c == '\n') return line;
      line += c;
    }
  }

  // The next start of the firmware.
  Report next_start() {
    Report report;
    std::istringstream words(next_line());
    for (std::string word; words >> word;) {
      report[word.substr(0, word.find('='))] = word.substr(std::min(word.size(), word.find('=') + 1));
    }
    return report;
  }

  void send(const std::string& command) {
    const std::string line = command + "\n";
    ASSERT_EQ(::write(command_writer_.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  std::string command(const std::string& text) {
    send(text);
    return next_line();
  }

  int wait_for_end() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int stop() {
    ::kill(pid_, SIGTERM);
    return wait_for_end();
  }

  // An image file of the fake firmware; `payload` replaces it.
  std::string image(const std::string& version, std::uint32_t counter = 1, std::string payload = {}) {
    if (payload.empty()) {
      std::ifstream file(MQB_FAKE_FIRMWARE, std::ios::binary);
      payload.assign(std::istreambuf_iterator<char>(file), {});
      payload += version;
    }
    const ImageHeader header{.product = *Label::make("mqboard"),
                             .hardware = *Label::make(port::default_hardware_kind()),
                             .version = *Label::make(version),
                             .security_counter = counter,
                             .payload_bytes = payload.size(),
                             .payload_hash = port::sha256(as_bytes(payload))};
    const auto signed_header = sign_header(header, key_);
    const std::string path = directory_.path() / ("image-" + version);
    std::ofstream(path, std::ios::binary) << as_text(signed_header) << payload;
    return path;
  }

  void install_and_try(const std::string& path) {
    ASSERT_THAT(command("install " + path), HasSubstr("installed"));
    send("reset hard none operator");
  }

  std::vector<std::string> crash_reports() {
    const auto files = port::LinuxFlash::open_root(slots_);
    const CrashStore store(**files);
    std::array<CrashStore::Entry, CrashStore::kMaxReports + 1> room;
    std::vector<std::string> texts;
    const auto entries = store.list(room);
    for (const auto& entry : *entries) {
      std::vector<std::uint8_t> buffer(kMaxCrashReport);
      texts.emplace_back(as_text(*store.read(entry.id, buffer)));
    }
    return texts;
  }

  port::TemporaryDirectory directory_;
  std::filesystem::path slots_;
  port::PrivateKey key_;
  port::Fd command_reader_, command_writer_, report_reader_, report_writer_;
  pid_t pid_ = -1;
};

TEST_F(MqbootTest, FactoryImage_StartsAfterPowerOnWithItsArguments) {
  start_factory({"--config", "board.toml", "--", "-v", "--more"});
  Report report = next_start();
  EXPECT_EQ(report["boot"], "1");
  EXPECT_EQ(report["cause"], "power_on");
  EXPECT_EQ(report["image"], "factory");
  EXPECT_EQ(report["arguments"],
            "--flash," + (directory_.path() / "flash").string() + ",--config,board.toml,-v,--more,");
  EXPECT_EQ(stop(), 0);
}

TEST_F(MqbootTest, NothingToStart_EndsWithStatus1) {
  start();
  EXPECT_EQ(wait_for_end(), 1);
}

TEST_F(MqbootTest, EveryKindOfReset_HasItsCauseAndKeepsRtcMemory) {
  start_factory({"--max-failed-boots", "0"});
  (void)next_start();
  EXPECT_EQ(command("user remember"), "ok");
  const std::pair<std::string, std::string> resets[] = {{"reset hard", "hard_reset"},
                                                        {"reset soft", "soft_reset"},
                                                        {"reset sleep none application 1", "deep_sleep"},
                                                        {"exit 0", "hard_reset"},
                                                        {"exit 73", "crash"},
                                                        {"exit 1", "crash"},
                                                        {"signal 11", "crash"},
                                                        {"signal 9", "crash"}};
  int boot = 1;
  for (const auto& [death, cause] : resets) {
    send(death);
    Report report = next_start();
    EXPECT_EQ(report["cause"], cause) << death;
    EXPECT_EQ(report["boot"], std::to_string(++boot)) << death;
    EXPECT_EQ(report["user"], "remember") << death;
  }
}

TEST_F(MqbootTest, ResetButton_ResetsAndWakesASleepingBoard) {
  start_factory();
  (void)next_start();
  ::kill(pid_, SIGUSR1);
  EXPECT_EQ(next_start()["cause"], "hard_reset");
  send("reset sleep none application 3600000");
  // The firmware's end is not announced; pressing early only resets it instead.
  ::kill(pid_, SIGUSR1);
  EXPECT_EQ(next_start()["cause"], "hard_reset");
}

TEST_F(MqbootTest, ThreeFailedBoots_LeadToSafeModeAndBeingInOrderLeadsBack) {
  start_factory();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(next_start()["mode"], "normal");
    send("signal 6");
  }
  Report safe = next_start();
  EXPECT_EQ(safe["mode"], "safe");
  EXPECT_EQ(safe["failed"], "3");
  send("reset hard");
  EXPECT_EQ(next_start()["mode"], "safe");
  EXPECT_EQ(command("in_order"), "ok");
  send("reset hard");
  Report normal = next_start();
  EXPECT_EQ(normal["mode"], "normal");
  EXPECT_EQ(normal["failed"], "0");
}

TEST_F(MqbootTest, OperatorsRequest_DecidesTheMode) {
  start_factory();
  (void)next_start();
  send("reset hard safe operator");
  EXPECT_EQ(next_start()["mode"], "safe");
  send("reset hard normal operator");
  EXPECT_EQ(next_start()["mode"], "normal");
}

TEST_F(MqbootTest, StarvingBoard_IsResetAndLeavesWhatItWasDoing) {
  start_factory();
  (void)next_start();
  EXPECT_EQ(command("log I blinky: last words"), "ok");
  EXPECT_EQ(command("arm 500"), "ok");
  EXPECT_EQ(next_start()["cause"], "watchdog");
  const auto reports = crash_reports();
  ASSERT_EQ(reports.size(), 1u);
  const auto report = decode_crash_report(as_bytes(reports[0]));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->cause, CrashCause::watchdog);
  EXPECT_EQ(report->detail, "not patted for 500 ms");
  EXPECT_EQ(report->image, "factory factory normal");
  EXPECT_EQ(report->backtrace, "#0 waiting for a command\n");
  EXPECT_EQ(report->log, "I blinky: last words\n");
}

TEST_F(MqbootTest, FatalSignal_LeavesAReportWithItsName) {
  start_factory();
  (void)next_start();
  EXPECT_EQ(command("log I blinky: before"), "ok");
  send("signal 11");
  (void)next_start();
  const auto reports = crash_reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0], HasSubstr("cause: signal\ndetail: SIGSEGV\n"));
  EXPECT_THAT(reports[0], HasSubstr("I blinky: before\n"));
}

TEST_F(MqbootTest, GoodUpdate_IsTriedConfirmedAndStays) {
  start_factory();
  (void)next_start();
  install_and_try(image("1.0"));
  Report trial = next_start();
  EXPECT_EQ(trial["image"], "a");
  EXPECT_EQ(trial["kind"], "0");
  EXPECT_EQ(trial["version"], "1.0");
  EXPECT_EQ(command("install " + image("1.1")), "trial_pending");
  EXPECT_EQ(command("in_order"), "ok");
  install_and_try(image("1.1"));
  EXPECT_EQ(next_start()["version"], "1.1");
  EXPECT_EQ(command("in_order"), "ok");
  send("signal 9");
  Report again = next_start();
  EXPECT_EQ(again["version"], "1.1");
  EXPECT_EQ(again["kind"], "1");
  EXPECT_EQ(command("roll_back"), "ok");
  send("reset hard none operator");
  EXPECT_EQ(next_start()["version"], "1.0");
}

TEST_F(MqbootTest, CrashingHangingAndNeverConfirmedUpdates_RollBack) {
  start_factory({"--trial-timeout", "3"});
  (void)next_start();
  install_and_try(image("1.0"));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  const std::pair<std::string, std::string> ends[] = {
      {"signal 11", "crash"}, {"arm 100", "watchdog"}, {"pat", "watchdog"}};
  for (const auto& [end, cause] : ends) {
    install_and_try(image("2.0"));
    EXPECT_EQ(next_start()["version"], "2.0");
    send(end);
    Report back = next_start();
    if (back.contains("ok")) back = next_start();  // the command was answered first
    EXPECT_EQ(back["version"], "1.0") << end;
    EXPECT_EQ(back["cause"], cause) << end;
    EXPECT_EQ(back["mode"], "normal") << end;
  }
  EXPECT_THAT(crash_reports().back(), HasSubstr("cause: trial_expired\n"));
}

TEST_F(MqbootTest, TrialThatOnlySleeps_IsOverAfterThreeShortSleeps) {
  start_factory({"--trial-timeout", "1.5"});
  (void)next_start();
  install_and_try(image("1.0"));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  install_and_try(image("2.0"));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_EQ(next_start()["version"], "2.0") << attempt;
    send("reset sleep none application 86400000");
  }
  EXPECT_EQ(next_start()["version"], "1.0");
}

// The watchdog of a trial cannot be switched off; that of the image it has become can.
TEST_F(MqbootTest, WatchdogSwitchedOff_StaysOnForATrialUntilItIsConfirmed) {
  start_factory({"--watchdog", "1.5"});
  (void)next_start();
  EXPECT_EQ(command("arm 0"), "ok");
  install_and_try(image("1.0"));
  (void)next_start();
  EXPECT_EQ(command("arm 0"), "ok");
  EXPECT_EQ(next_start()["cause"], "watchdog");
  EXPECT_THAT(crash_reports().back(), HasSubstr("detail: not patted for 1500 ms\n"));
  EXPECT_EQ(command("arm 0"), "ok");
  install_and_try(image("1.1"));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  EXPECT_EQ(command("arm 0"), "ok");
  pollfd said{.fd = report_reader_.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&said, 1, 3000), 0) << "the board was reset";
}

TEST_F(MqbootTest, ForgedTruncatedAndDowngradedUpdates_AreRefused) {
  start_factory();
  (void)next_start();
  install_and_try(image("1.0", 5));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  EXPECT_EQ(command("install " + image("1.1", 4)), "downgrade");
  const std::string cut = image("1.2", 5);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 1);
  EXPECT_EQ(command("install " + cut), "truncated");
  key_ = port::PrivateKey::generate();
  EXPECT_EQ(command("install " + image("1.3", 5)), "unknown_key");
  send("reset hard none operator");
  EXPECT_EQ(next_start()["version"], "1.0");
}

TEST_F(MqbootTest, ImageThatCannotBeExecuted_RollsBack) {
  start_factory();
  (void)next_start();
  install_and_try(image("1.0"));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  install_and_try(image("2.0", 1, "this is no executable"));
  EXPECT_EQ(next_start()["version"], "1.0");
  EXPECT_THAT(crash_reports().back(), HasSubstr("detail: exit status 127\n"));
}

TEST_F(MqbootTest, SpoiledImageFile_IsNotStarted) {
  start_factory();
  (void)next_start();
  install_and_try(image("1.0"));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  std::fstream file(slots_ / "a" / "image", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(5000).put('!');
  file.close();
  send("reset hard");
  EXPECT_EQ(next_start()["image"], "factory");
}

TEST_F(MqbootTest, SpoiledRecords_StillStartASignedImageAndTakeTheNext) {
  const auto spoil = [this](const std::string& content) {
    for (const char* const copy : {"a.0", "a.1", "b.0", "b.1"}) {
      std::ofstream(slots_ / "records" / copy, std::ios::binary | std::ios::trunc) << content;
    }
  };
  start_factory();
  (void)next_start();
  install_and_try(image("1.0"));
  (void)next_start();
  EXPECT_EQ(command("in_order"), "ok");
  EXPECT_EQ(stop(), 0);
  for (const std::string& content : {std::string(), std::string(104, 'x'), std::string(100'000, '\0')}) {
    spoil(content);
    start();
    Report last_resort = next_start();
    EXPECT_EQ(last_resort["version"], "1.0");
    EXPECT_EQ(last_resort["mode"], "safe");
    EXPECT_EQ(stop(), 0);
  }
  start();
  (void)next_start();
  install_and_try(image("1.1"));
  EXPECT_EQ(next_start()["version"], "1.1");
}

TEST_F(MqbootTest, SpoiledCopyOfARecord_LeavesTheOther) {
  start_factory();
  (void)next_start();
  for (const char* const version : {"1.0", "1.1"}) {
    install_and_try(image(version));
    (void)next_start();
    EXPECT_EQ(command("in_order"), "ok");
  }
  EXPECT_EQ(stop(), 0);
  for (const char* const copy : {"a.0", "a.1", "b.0", "b.1"}) {
    const std::filesystem::path path = slots_ / "records" / copy;
    const std::filesystem::path kept = slots_ / "kept";
    std::filesystem::copy_file(path, kept, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(path, 50);
    start();
    Report report = next_start();
    EXPECT_TRUE(report["version"] == "1.0" || report["version"] == "1.1") << copy;
    EXPECT_EQ(report["mode"], "normal") << copy;
    EXPECT_EQ(stop(), 0);
    std::filesystem::copy_file(kept, path, std::filesystem::copy_options::overwrite_existing);
  }
}

TEST_F(MqbootTest, Killed_LeavesNoFirmwareBehindAndRtcFileTellsTheNext) {
  const std::string rtc = directory_.path() / "rtc";
  start_factory({"--rtc", rtc});
  (void)next_start();
  EXPECT_EQ(command("user remember"), "ok");
  ::kill(pid_, SIGKILL);
  EXPECT_EQ(wait_for_end(), -SIGKILL);
  start_factory({"--rtc", rtc});
  Report report = next_start();
  EXPECT_EQ(report["cause"], "hard_reset");
  EXPECT_EQ(report["boot"], "2");
  EXPECT_EQ(report["user"], "remember");
  EXPECT_EQ(stop(), 0);
  start_factory({"--rtc", rtc});
  EXPECT_EQ(next_start()["cause"], "power_on");
}

TEST_F(MqbootTest, RtcFileFromBeforeTheMachinesLastStart_IsPowerOn) {
  const std::string rtc = directory_.path() / "rtc";
  {
    const auto mapping = port::RtcMapping::open_file(rtc);
    mapping->memory().format();
    mapping->memory().store_system({.boot_count = 41, .machine_boot = 1});
  }
  start_factory({"--rtc", rtc});
  Report report = next_start();
  EXPECT_EQ(report["cause"], "power_on");
  EXPECT_EQ(report["boot"], "1");
}

TEST_F(MqbootTest, WatchdogDevice_IsPattedAndDisarmedByAStop) {
  const std::string device = directory_.path() / "watchdog";
  std::ofstream(device).flush();
  start_factory({"--watchdog-device", device});
  (void)next_start();
  EXPECT_EQ(stop(), 0);
  std::ifstream file(device, std::ios::binary);
  const std::string written(std::istreambuf_iterator<char>(file), {});
  EXPECT_GT(written.size(), 1u);
  EXPECT_EQ(written.back(), 'V');
  EXPECT_EQ(written.find_first_not_of('\0'), written.size() - 1);
}

TEST_F(MqbootTest, FirmwareKilledAHundredTimes_IsBackWithinASecond) {
  start_factory();
  (void)next_start();
  std::array<std::chrono::steady_clock::duration, 100> taken{};
  for (auto& each : taken) {
    ASSERT_EQ(command("in_order"), "ok");
    const auto killed = std::chrono::steady_clock::now();
    send("signal 9");
    Report report = next_start();
    ASSERT_EQ(report["cause"], "crash");
    ASSERT_EQ(report["mode"], "normal");
    each = std::chrono::steady_clock::now() - killed;
  }
  // A machine that is busy with something else may account for some.
  std::ranges::sort(taken);
  EXPECT_LT(taken[90], std::chrono::seconds{1});
  EXPECT_EQ(crash_reports().size(), CrashStore::kMaxReports);
}

// Starts that fail again and again are spaced out, yet follow within a second.
TEST_F(MqbootTest, HopelessFirmware_IsStartedTwiceASecondAtMost) {
  start_factory();
  auto before = std::chrono::steady_clock::now();
  auto quickest = std::chrono::steady_clock::duration::max(), slowest = -quickest;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(next_start()["mode"], i < 3 ? "normal" : "safe");
    const auto started = std::chrono::steady_clock::now();
    if (i > 7) quickest = std::min(quickest, started - before), slowest = std::max(slowest, started - before);
    before = started;
    send("signal 6");
  }
  EXPECT_GT(slowest, std::chrono::milliseconds{300});
  EXPECT_LT(quickest, std::chrono::seconds{1});
  (void)next_start();
}

TEST_F(MqbootTest, FirmwareKilledFromOutside_IsStartedAtOnceHoweverOften) {
  start_factory();
  (void)next_start();
  auto quickest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 12; ++i) {
    const auto killed = std::chrono::steady_clock::now();
    send("signal 9");
    EXPECT_EQ(next_start()["cause"], "crash");
    if (i > 7) quickest = std::min(quickest, std::chrono::steady_clock::now() - killed);
  }
  EXPECT_LT(quickest, std::chrono::milliseconds{250});
}

TEST(MqbootUsageTest, Mistakes_AreStatus2) {
  const auto run = [](const std::string& arguments) {
    const int status = std::system((std::string(MQB_MQBOOT) + " " + arguments + " >/dev/null 2>&1").c_str());
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(run("--help"), 0);
  EXPECT_EQ(run("--version"), 0);
  EXPECT_EQ(run(""), 2);
  EXPECT_EQ(run("--slots x"), 2);
  EXPECT_EQ(run("--slots x --flash"), 2);
  EXPECT_EQ(run("--slots x --flash y --watchdog=-1"), 2);
  EXPECT_EQ(run("--slots x --flash y --max-failed-boots 300"), 2);
  EXPECT_EQ(run("--slots x --flash y --frobnicate"), 2);
  EXPECT_EQ(run("--slots /dev/null/x --flash y"), 1);
}

}  // namespace
}  // namespace mqboard::boot
