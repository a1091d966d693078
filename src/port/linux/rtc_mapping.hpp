// RTC memory as memory shared between mqboot and the firmware.
#pragma once

#include <expected>
#include <string>

#include "core/boot/rtc.hpp"
#include "port/linux/fd.hpp"

namespace mqboard::port {

// Owns the mapping and, until drop_fd(), the descriptor behind it. Errors are one line for a person.
class RtcMapping {
 public:
  RtcMapping(RtcMapping&& other) noexcept;
  RtcMapping& operator=(RtcMapping&& other) noexcept;
  ~RtcMapping();

  // Anonymous memory: gone with the last process that holds it.
  static std::expected<RtcMapping, std::string> create();
  // A file, created when missing: on a tmpfs it survives the process, not the power.
  static std::expected<RtcMapping, std::string> open_file(const std::string& path);
  // What another process created and passed on. Takes the descriptor over.
  static std::expected<RtcMapping, std::string> adopt(Fd fd);

  [[nodiscard]] boot::RtcMemory memory() const {
    return boot::RtcMemory({static_cast<std::uint8_t*>(base_), boot::kRtcBytes});
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  void drop_fd() { fd_.reset(); }

 private:
  RtcMapping(Fd fd, void* base) : fd_(std::move(fd)), base_(base) {}
  static std::expected<RtcMapping, std::string> map(Fd fd);

  Fd fd_;
  void* base_ = nullptr;
};

}  // namespace mqboard::port
