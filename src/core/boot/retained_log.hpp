// The last log lines, in memory that survives the process: what a crash report quotes.
//
// Layout: u32 magic, u32 position (bytes written, kept below twice the room; host byte order), then a ring of
// text. A line is written first and counted after, so that a writer killed in the middle leaves the lines
// before it readable. One writer at a time; the reader reads when the writer is dead, or is the writer.
#pragma once

#include <atomic>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::boot {

class RetainedLog {
 public:
  static constexpr std::size_t kMaxLine = 1024;  // longer lines are cut

  // Borrows `region`: at least 4 * kMaxLine, aligned for u32.
  explicit RetainedLog(MutableBytes region) : region_(region) {}

  void format();
  void append(std::string_view line);  // adds the newline

  // The newest whole lines that fit `into`, oldest of them first. Empty before format().
  [[nodiscard]] std::string_view tail(MutableBytes into) const;

 private:
  [[nodiscard]] MutableBytes ring() const { return region_.subspan(8); }
  [[nodiscard]] std::atomic_ref<std::uint32_t> word(std::size_t which) const;
  void put(std::size_t& position, std::string_view text);

  MutableBytes region_;
};

}  // namespace mqboard::boot
