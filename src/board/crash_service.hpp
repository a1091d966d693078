// The crash reports of a board: those mqboot wrote about deaths of the firmware, and those the firmware
// writes itself about deaths it outlives. Announced in the log once each, after the board is connected.
//
// Threads: the I/O thread only.
#pragma once

#include <functional>
#include <string>

#include "board/services.hpp"
#include "core/base/time.hpp"
#include "core/boot/crash_store.hpp"

namespace mqboard::board {

class CrashService final : public CrashReports {
 public:
  struct Environment {
    FileSystem& files;  // the slot directory
    std::string firmware, image;
    std::uint32_t boot_count = 0;
    std::function<Millis()> uptime;
    std::function<std::int64_t()> time_s;  // 0: not known
    std::function<std::string()> log_tail;
    std::function<void(int level, std::string_view)> report;
    // The last report that was announced, kept across restarts.
    std::function<boot::CrashId()> announced;
    std::function<void(boot::CrashId)> set_announced;
  };
  explicit CrashService(Environment environment) : env_(std::move(environment)), store_(env_.files) {}

  // Keeps a report. An application that fails again and again gets kMostPerHour of them, then only log lines.
  static constexpr unsigned kMostPerHour = 8;
  void add(boot::CrashCause cause, std::string_view detail, std::string_view traceback);

  void announce();

  std::vector<CrashSummary> list() override;
  std::expected<std::string, FsError> read(std::string_view name) override;
  std::expected<void, FsError> remove(std::string_view name) override;

 private:
  Environment env_;
  boot::CrashStore store_;
  Millis hour_began_{};
  unsigned this_hour_ = 0;
};

}  // namespace mqboard::board
