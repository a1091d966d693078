// The invariants listed in session_parts.hpp, checked from scratch.
#include "core/mqtt/session_parts.hpp"

namespace mqboard::mqtt {
namespace {

struct Tally {
  std::size_t slots = 0;
  std::size_t blocks = 0;
  std::size_t counted = 0;
};

// Whether the list is linked well, holds what belongs into it and, where `ordered`, ascends.
template<class Belongs>
bool list_holds(const SlotTable& slots, const BlockStore& store, const SlotList& list, bool ordered,
                Belongs&& belongs, Tally& tally) {
  SlotId previous = 0;
  for (SlotId id = list.head(); id != 0; id = slots[id].next) {
    const Slot& slot = slots[id];
    if (slot.previous != previous || !belongs(slot) || ++tally.slots > slots.size()) return false;
    if (ordered && previous != 0 && slots[previous].order >= slot.order) return false;
    tally.blocks += store.chain_blocks(slot.chain);
    tally.counted += slot.counted ? 1 : 0;
    previous = id;
  }
  return list.tail() == previous;
}

// Staged slots stand in front of `next`, the others from there on.
bool staged_in_front(const SlotTable& slots, const SlotList& list, SlotId next) {
  bool seen_next = false;
  for (SlotId id = list.head(); id != 0; id = slots[id].next) {
    seen_next = seen_next || id == next;
    if (slots[id].staged == seen_next) return false;
  }
  return seen_next == (next != 0);
}

}  // namespace

bool Session::Parts::invariants_hold() const {
  using enum Slot::State;
  const auto in = [](Slot::State state) { return [state](const Slot& slot) { return slot.state == state; }; };
  const auto request = [](const Slot& slot) {
    return slot.state == subscribing || slot.state == unsubscribing;
  };
  Tally tally;
  const bool lists = list_holds(slots, store, publishes, true, in(publishing), tally) &&
                     list_holds(slots, store, releases, true, in(releasing), tally) &&
                     list_holds(slots, store, departures, false, in(departing), tally) &&
                     list_holds(slots, store, requests, false, request, tally) &&
                     list_holds(slots, store, reports, false, in(reporting), tally);
  if (!lists || tally.slots + slots.free_count() != slots.size()) return false;
  if (tally.blocks + store.free_blocks() != BlockStore::blocks_for(limits.store_bytes)) return false;
  if (tally.counted != window_used || window_used > config.send_window) return false;
  if (receive_quota_used > limits.receive_window && wire_in.v5()) return false;
  return staged_in_front(slots, publishes, next_publish) && staged_in_front(slots, releases, next_release) &&
         out.invariants_hold();
}

}  // namespace mqboard::mqtt
