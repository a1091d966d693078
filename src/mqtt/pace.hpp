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

inline constexpr std::size_t kAckBytes = 4;  // of PUBACK, PUBREC, PUBREL and PUBCOMP

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
  // Something else is waited for, too.
  void stop() { deadline_ = kNever; }

 private:
  Millis longest_wait_;
  Pace pace_;
  TimePoint deadline_ = kNever;
  TimePoint last_read_ = TimePoint::min();
  bool idle_ = false;  // nothing came within a whole wait: the first that does is news
};

// When input is worth waking up for in a dense stream of QoS 2 messages.
//
// Each PUBREC of ours calls forth a PUBREL, each PUBCOMP makes room for the next message. The former are
// small and the latter are not, and how they mix is up to the broker, so no number of bytes means "some of
// them". But it is known how many all of them are: we wake up when everything has come, or else when a moment
// is over.
class ExchangePace {
 public:
  explicit ExchangePace(Millis longest_wait) : longest_wait_(longest_wait) {}

  // Of all reads of a turn.
  struct Read {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    std::size_t taken = 0;       // identifiers taken over: PUBRECs we owe
    std::size_t unreleased = 0;  // identifiers that wait for their PUBREL now
  };
  void read(const Read& read, TimePoint now);
  // All our acknowledgements have left.
  void written();

  // Packets come together, so their answers need not wait for more.
  [[nodiscard]] bool dense() const { return dense_; }

  // The low-water mark to sleep with, in bytes. `has_read`: input came since the last call.
  std::size_t low_water(bool has_read, TimePoint now);

  // When to look for input below the mark; kNever: no need to.
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  // It has been looked; was there any? If not, nothing that was called forth is counted on any more.
  void looked(bool found);
  // Something else is waited for, too.
  void stop() { deadline_ = kNever; }

 private:
  static constexpr std::size_t kDense = 8;  // packets within the longest wait

  Millis longest_wait_;
  std::size_t unreleased_ = 0;
  std::size_t message_bytes_ = 0;           // of the smallest message lately
  std::size_t pubrecs_ = 0, pubcomps_ = 0;  // not written yet
  std::size_t coming_packets_ = 0, coming_bytes_ = 0;
  std::size_t lately_ = 0;  // packets since ...
  TimePoint since_{};
  bool dense_ = false;
  TimePoint deadline_ = kNever;
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
