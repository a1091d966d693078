// How small packets come together: what saves a dense stream most of its system calls.
//
// Waking up for each acknowledgement or message of a dense stream, and answering each alone, costs both ends
// a wake-up, several system calls and a segment apiece. How many may come together cannot be known
// beforehand: more than the broker has in flight never come, and what exceeds its congestion window waits for
// our kernel's delayed acknowledgement (40 ms). So we wait for Pace::size() of them, but never longer than
// Options::coalesce, and learn: the size grows carefully while batches fill up, falls at once when one does
// not, and each fall makes the next attempt rarer. Packets that come one at a time are never kept.
#pragma once

#include <cstddef>

#include "core/base/time.hpp"

namespace mqboard::mqtt {

class Pace {
 public:
  // 1: act on each at once.
  [[nodiscard]] std::size_t size() const { return size_; }

  // A batch came together in time, and `most` would have been useful.
  void filled(std::size_t most);
  // It did not: somebody was kept waiting.
  void starved();

 private:
  static constexpr std::size_t kFirstNeed = 16;
  static constexpr std::size_t kLongestNeed = 4096;

  std::size_t size_ = 1;
  std::size_t in_a_row_ = 0;         // batches of this size
  std::size_t needed_ = kFirstNeed;  // before the next size is tried
};

// When input is worth waking up for.
class InputPace {
 public:
  // What is expected, and how many of it may come together. One: wake up for anything.
  struct Expected {
    std::size_t most = 1;
    std::size_t bytes_each = 1;
  };

  explicit InputPace(Millis longest_wait) : longest_wait_(longest_wait) {}

  // The low-water mark to sleep with, in bytes. `has_read`: input came since the last call.
  std::size_t low_water(const Expected& expected, bool has_read, TimePoint now);

  // When to look for input below the mark; kNever: no need to.
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  // It has been looked; was there any?
  void looked(bool found);
  // The connection is gone.
  void stop() { deadline_ = kNever; }

 private:
  Millis longest_wait_;
  Pace pace_;
  TimePoint deadline_ = kNever;
  TimePoint last_read_ = TimePoint::min();
  bool idle_ = false;  // nothing came within a whole wait: the first that does is news
};

// When acknowledgements of ours leave.
class AnswerPace {
 public:
  explicit AnswerPace(Millis longest_wait) : longest_wait_(longest_wait) {}

  // Whether `answers` waiting ones may wait for more, at most `most` altogether. If not they are written now.
  bool hold(std::size_t answers, std::size_t most, TimePoint now);
  // Something else leaves, or could not: they go with it.
  void release() { deadline_ = kNever; }

  // When to write them all the same; kNever: none are held.
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  // It has come.
  void expire();

 private:
  Millis longest_wait_;
  Pace pace_;
  TimePoint deadline_ = kNever;
  TimePoint last_written_ = TimePoint::min();
};

}  // namespace mqboard::mqtt
