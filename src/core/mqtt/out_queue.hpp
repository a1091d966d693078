// What waits for the transport: encoded packets in a borrowed ring, payloads lent by the application between
// them, in sending order.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

class OutQueue {
 public:
  struct Entry {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    std::uint16_t lender = 0;  // 0: bytes in the ring
  };
  // Lent payloads have at most one stretch of ring before each, and the ring may wrap once.
  static constexpr std::size_t entries_for(std::size_t lent) { return 2 * lent + 2; }

  OutQueue(MutableBytes ring, std::span<Entry> entries) : ring_(ring), entries_(entries) {}

  // A contiguous stretch of at least `size` bytes to encode into, valid until commit() or the next reserve();
  // empty when there is none.
  MutableBytes reserve(std::size_t size);
  // Appends the first `size` reserved bytes.
  void commit(std::size_t size);

  [[nodiscard]] bool can_lend() const { return lent_ < (entries_.size() - 2) / 2; }
  void lend(Bytes payload, std::uint16_t lender);

  // Bytes of the ring in use.
  [[nodiscard]] std::size_t ring_used() const { return ring_used_; }
  [[nodiscard]] std::size_t ring_size() const { return ring_.size(); }
  [[nodiscard]] bool empty() const { return count_ == 0; }

  // Position in the stream of this connection: of the last byte appended, and of the last one sent.
  [[nodiscard]] std::uint64_t appended() const { return appended_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

  [[nodiscard]] std::size_t gather(std::span<Bytes> list) const;

  // Takes up to `bytes` off the front, at most to the end of the first lent payload, and reduces `bytes` by
  // that. Returns the lender if its payload is out completely now, else 0.
  std::uint16_t take(std::size_t& bytes);

  // Forgets everything, positions included.
  void clear() { *this = OutQueue{ring_, entries_}; }

  [[nodiscard]] bool invariants_hold() const;

 private:
  [[nodiscard]] std::size_t next(std::size_t index) const {
    return index + 1 == entries_.size() ? 0 : index + 1;
  }
  [[nodiscard]] std::size_t last() const {
    const std::size_t index = first_ + count_ - 1;
    return index >= entries_.size() ? index - entries_.size() : index;
  }
  void push(Entry entry);
  void free_ring(const Entry& entry, std::size_t size);

  MutableBytes ring_;
  std::span<Entry> entries_;
  std::size_t first_ = 0;  // of entries
  std::size_t count_ = 0;
  std::size_t lent_ = 0;
  std::size_t head_ = 0;  // of the ring: where the next byte goes
  std::size_t tail_ = 0;  // of the ring: the oldest byte in use
  std::size_t ring_used_ = 0;
  std::size_t reserved_at_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace mqboard::mqtt
