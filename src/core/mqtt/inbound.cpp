#include "core/mqtt/inbound.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace mqboard::mqtt {

void Inbound::push(const PendingAck& ack) {
  const std::size_t at = first_ + count_++;
  pending_[at < pending_.size() ? at : at - pending_.size()] = ack;
}

void Inbound::pop_front() {
  if (++first_ == pending_.size()) first_ = 0;
  --count_;
}

PendingAck* Inbound::find(AckHandle handle) {
  for (std::size_t i = 0; i < count_; ++i) {
    PendingAck& ack = pending_[index(i)];
    const bool named = ack.packet_id == handle.packet_id && ack.connection == handle.connection;
    if (named && !ack.acknowledged) return &ack;
  }
  return nullptr;
}

PendingAck* Inbound::arrived_again(std::uint16_t packet_id) {
  PendingAck* found = nullptr;
  for (std::size_t i = 0; i < count_; ++i) {
    PendingAck& ack = pending_[index(i)];
    if (found != nullptr) {
      std::swap(*found, ack);
      found = &ack;
    } else if (ack.packet_id == packet_id && ack.qos == QoS::exactly_once && !ack.acknowledged) {
      found = &ack;
    }
  }
  return found;
}

TakenId* Inbound::lower_bound(std::uint16_t packet_id) {
  const auto used = taken_.first(taken_count_);
  return std::to_address(
      std::lower_bound(used.begin(), used.end(), packet_id,
                       [](const TakenId& id, std::uint16_t key) { return id.packet_id < key; }));
}

TakenId* Inbound::taken(std::uint16_t packet_id) {
  TakenId* at = lower_bound(packet_id);
  return at != taken_.data() + taken_count_ && at->packet_id == packet_id ? at : nullptr;
}

bool Inbound::take_over(std::uint16_t packet_id, bool counted) {
  if (TakenId* known = taken(packet_id)) return known->counted = counted, true;
  if (taken_count_ == taken_.size()) return false;
  TakenId* at = lower_bound(packet_id);
  TakenId* end = taken_.data() + taken_count_++;
  std::move_backward(at, end, end + 1);
  *at = {packet_id, counted};
  return true;
}

void Inbound::forget(std::uint16_t packet_id) {
  TakenId* at = taken(packet_id);
  if (at == nullptr) return;
  std::move(at + 1, taken_.data() + taken_count_, at);
  --taken_count_;
}

void Inbound::connection_lost() {
  const std::size_t before = count_;
  count_ = 0;
  for (std::size_t i = 0; i < before; ++i) {
    PendingAck ack = pending_[index(i)];
    if (ack.qos != QoS::exactly_once || ack.acknowledged) continue;
    ack.arrived = ack.counted = false;
    push(ack);  // at or before index i: nothing unread is overwritten
  }
  for (TakenId& id : taken_.first(taken_count_)) id.counted = false;
}

void Inbound::clear() { count_ = taken_count_ = first_ = 0; }

}  // namespace mqboard::mqtt
