#include "core/mqtt/slots.hpp"

#include <cassert>

namespace mqboard::mqtt {

SlotTable::SlotTable(std::span<Slot> slots) : slots_(slots) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto id = static_cast<SlotId>(i + 1);
    renew(slots[i], id, 0);
    give_back(id);
  }
}

void SlotTable::renew(Slot& slot, SlotId id, std::uint16_t generation) {
  slot = Slot{};
  slot.id = id;
  slot.generation = generation;
}

SlotId SlotTable::take() {
  const SlotId id = free_head_;
  if (id == 0) return 0;
  free_head_ = (*this)[id].next;
  if (free_head_ == 0) free_tail_ = 0;
  --free_count_;
  Slot& slot = (*this)[id];
  renew(slot, id, static_cast<std::uint16_t>(slot.generation + 1));
  return id;
}

bool SlotTable::take_this(SlotId id) {
  SlotId previous = 0;
  SlotId at = free_head_;
  while (at != 0 && at != id) {
    previous = at;
    at = (*this)[at].next;
  }
  if (at == 0) return false;
  const SlotId rest = (*this)[at].next;
  (previous == 0 ? free_head_ : (*this)[previous].next) = rest;
  if (free_tail_ == id) free_tail_ = previous;
  --free_count_;
  renew((*this)[id], id, 0);
  return true;
}

void SlotTable::give_back(SlotId id) {
  Slot& slot = (*this)[id];
  slot.state = Slot::State::free;
  slot.next = 0;
  if (free_tail_ != 0) {
    (*this)[free_tail_].next = id;
  } else {
    free_head_ = id;
  }
  free_tail_ = id;
  ++free_count_;
}

void SlotList::append(SlotTable& slots, SlotId id) {
  Slot& slot = slots[id];
  slot.list = name_;
  slot.previous = tail_;
  slot.next = 0;
  (tail_ == 0 ? head_ : slots[tail_].next) = id;
  tail_ = id;
  if (unsent_ == 0) unsent_ = id;
}

void SlotList::insert_by_order(SlotTable& slots, SlotId id) {
  Slot& slot = slots[id];
  SlotId before = tail_;
  while (before != 0 && slots[before].order > slot.order) before = slots[before].previous;
  const SlotId after = before == 0 ? head_ : slots[before].next;
  slot.list = name_;
  slot.previous = before;
  slot.next = after;
  (before == 0 ? head_ : slots[before].next) = id;
  (after == 0 ? tail_ : slots[after].previous) = id;
  unsent_ = head_;
}

void SlotList::remove(SlotTable& slots, SlotId id) {
  Slot& slot = slots[id];
  assert(slot.list == name_);
  if (unsent_ == id) unsent_ = slot.next;
  (slot.previous == 0 ? head_ : slots[slot.previous].next) = slot.next;
  (slot.next == 0 ? tail_ : slots[slot.next].previous) = slot.previous;
  slot.list = 0;
  slot.next = slot.previous = 0;
}

void SlotList::mark_sent(SlotTable& slots, std::uint64_t position, TimePoint now) {
  while (unsent_ != 0 && slots[unsent_].staged && slots[unsent_].end <= position) {
    slots[unsent_].sent_at = now;
    unsent_ = slots[unsent_].next;
  }
}

}  // namespace mqboard::mqtt
