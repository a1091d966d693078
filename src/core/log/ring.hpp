// A bounded store of log records that keeps what matters: when room is needed, records already delivered go
// first, oldest first, then the oldest of the lowest severity, but never one more severe than the newcomer.
// Undelivered records are kept until the reader says they arrived, so a reconnect loses nothing up to the
// size.
//
// The memory is borrowed, and what is in it means the same at any address. Given memory that outlives the
// process (a mapped file), the records of a process that died are found again by recover(), whatever
// instruction it died at: every record carries its number and a CRC, records lie in order without gaps, and a
// record that was being moved or written at that moment is all that can be missing.
//
// Used by one thread, or under the owner's lock. No allocation. push() costs time linear in the bytes held
// when something must go, and the record's size otherwise.
#pragma once

#include <cstdint>
#include <optional>

#include "core/log/record.hpp"

namespace mqboard::log {

class Ring {
 public:
  // What a record takes beside its text and logger.
  static constexpr std::size_t kOverhead = 24;

  // Starts empty, forgetting what is in `memory`.
  explicit Ring(MutableBytes memory);
  // Takes over what an earlier process left in `memory`; undelivered as far as this ring knows.
  static Ring recover(MutableBytes memory);

  // Bytes to use from now on, at most memory's; what is held beyond it goes with the next push.
  void limit(std::size_t bytes);

  // False: everything that could go is more severe, or it is larger than the limit; it counts as lost. Text
  // beyond kMaxText and logger names beyond kMaxLogger are cut at a character.
  bool push(const Record& record);

  struct Entry {
    Record record{};             // borrowed until the next push
    std::uint32_t sequence = 0;  // counts pushes from 1; a gap was lost, or went to make room
  };
  // The oldest record not taken; it stays until acknowledged. Nothing: all were taken.
  [[nodiscard]] std::optional<Entry> take();
  // Every record taken up to `sequence` arrived.
  void acknowledge(std::uint32_t sequence);
  // What was taken but not acknowledged did not arrive: it will be taken again.
  void rewind() { taken_ = acknowledged_; }

  // A walk over everything held, oldest first: start with 0, go on with the sequence of the last entry.
  [[nodiscard]] std::optional<Entry> after(std::uint32_t sequence) const;

  [[nodiscard]] bool all_taken() const { return taken_ + 1 == next_sequence_ || !after(taken_); }
  [[nodiscard]] bool delivered(std::uint32_t sequence) const { return sequence <= acknowledged_; }
  [[nodiscard]] std::uint32_t last_sequence() const { return next_sequence_ - 1; }
  [[nodiscard]] std::uint32_t lost() const { return lost_; }  // undelivered ones, refused or gone
  [[nodiscard]] std::size_t bytes_used() const { return used_; }

 private:
  bool make_room(std::size_t bytes, Level newcomer);
  [[nodiscard]] std::optional<std::size_t> victim(Level newcomer) const;
  void remove(std::size_t at);
  [[nodiscard]] Entry entry_at(std::size_t at) const;
  [[nodiscard]] std::size_t size_at(std::size_t at) const;

  MutableBytes memory_;
  std::size_t limit_;
  std::size_t used_ = 0;
  std::uint32_t next_sequence_ = 1;
  std::uint32_t taken_ = 0;
  std::uint32_t acknowledged_ = 0;
  std::uint32_t lost_ = 0;
};

}  // namespace mqboard::log
