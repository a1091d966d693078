// Outstanding operations. A slot's index is its packet identifier, so identifiers are unique across PUBLISH,
// SUBSCRIBE and UNSUBSCRIBE by construction, whatever wraps or is resumed. Freed slots go to the end of the
// free list: an identifier rests as long as possible before it is used again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/base/bytes.hpp"
#include "core/base/time.hpp"
#include "core/mqtt/session_types.hpp"

namespace mqboard::mqtt {

using SlotId = std::uint16_t;  // 0: none

struct Slot {
  enum class State : std::uint8_t {
    free,
    reporting,     // over; its event is still to be polled
    publishing,    // PUBLISH to be sent, or sent and not acknowledged
    releasing,     // PUBREC came: PUBREL to be sent, or sent and not answered
    departing,     // a QoS 0 PUBLISH whose lent payload is on its way out
    subscribing,   // SUBSCRIBE sent
    unsubscribing  // UNSUBSCRIBE sent
  };
  State state = State::free;
  QoS qos = QoS::at_most_once;
  bool retain = false;
  bool staged = false;           // encoded for the present connection
  bool attempted = false;        // was (partly) on the wire of an earlier connection: DUP
  bool counted = false;          // uses the send window of the present connection
  bool lent_out = false;         // its payload is in the out queue
  std::optional<Failure> why{};  // reporting: event::Failed, else Published with success
  std::uint8_t list = 0;         // which SlotList it is in, for checking
  std::uint16_t generation = 0;
  std::uint16_t filters = 0;  // of a SUBSCRIBE or UNSUBSCRIBE
  SlotId id = 0;              // the packet identifier
  SlotId next = 0;
  SlotId previous = 0;
  std::uint32_t chain = 0;  // stored bytes: the PUBLISH body, without a lent payload
  std::uint32_t chain_bytes = 0;
  Bytes payload{};             // lent
  Bytes record{};              // restored: the record it is sent from
  std::uint64_t order = 0;     // of publish() or, when releasing, of PUBREC; goes into the record
  std::uint64_t begin = 0;     // position of its first byte in the out queue
  std::uint64_t end = 0;       // and behind its last one
  TimePoint sent_at = kNever;  // when that byte was taken by the transport

  [[nodiscard]] Token token() const { return {static_cast<std::uint32_t>(generation) << 16 | id}; }
};

class SlotTable;

// A doubly linked list of slots in sending order. The slots in front of `unsent` have been taken by the
// transport completely.
class SlotList {
 public:
  explicit SlotList(std::uint8_t name) : name_(name) {}

  [[nodiscard]] SlotId head() const { return head_; }
  [[nodiscard]] SlotId tail() const { return tail_; }
  [[nodiscard]] bool empty() const { return head_ == 0; }
  void append(SlotTable& slots, SlotId id);
  void insert_by_order(SlotTable& slots, SlotId id);
  void remove(SlotTable& slots, SlotId id);
  // Notes the time for every staged slot whose last byte is at or before `position`.
  void mark_sent(SlotTable& slots, std::uint64_t position, TimePoint now);
  void restart() { unsent_ = head_; }

 private:
  std::uint8_t name_;
  SlotId head_ = 0;
  SlotId tail_ = 0;
  SlotId unsent_ = 0;
};

class SlotTable {
 public:
  explicit SlotTable(std::span<Slot> slots);

  [[nodiscard]] Slot& operator[](SlotId id) { return slots_[id - 1u]; }
  [[nodiscard]] const Slot& operator[](SlotId id) const { return slots_[id - 1u]; }
  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] std::size_t free_count() const { return free_count_; }

  // The slot of a packet identifier, null when there is none, or it is free, or over but for its event.
  [[nodiscard]] Slot* find(std::uint16_t packet_id) {
    if (packet_id == 0 || packet_id > slots_.size()) return nullptr;
    Slot& slot = (*this)[packet_id];
    return slot.state == Slot::State::free || slot.state == Slot::State::reporting ? nullptr : &slot;
  }

  SlotId take();              // 0: none free
  bool take_this(SlotId id);  // false: not free; walks the free list, for restoring
  void give_back(SlotId id);

 private:
  // A slot for its next use, as if never used but for its name and generation.
  static void renew(Slot& slot, SlotId id, std::uint16_t generation);

  std::span<Slot> slots_;
  SlotId free_head_ = 0;
  SlotId free_tail_ = 0;
  std::size_t free_count_ = 0;
};

}  // namespace mqboard::mqtt
