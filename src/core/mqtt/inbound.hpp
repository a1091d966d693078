// Acknowledgements owed to the server, in order of arrival, and the QoS 2 identifiers taken over from it.
//
// A QoS 2 message passes through three stages: pending (delivered, the application has not acknowledged it),
// taken (PUBREC is owed or sent, the identifier must be remembered until PUBREL), gone.
#pragma once

#include <cstdint>
#include <span>

#include "core/mqtt/packet.hpp"

namespace mqboard::mqtt {

struct PendingAck {
  std::uint16_t packet_id = 0;
  QoS qos = QoS::at_least_once;
  ReasonCode reason = ReasonCode::success;
  std::uint32_t connection = 0;  // on which it was delivered
  bool acknowledged = false;
  bool arrived = false;  // on the present connection: an acknowledgement is owed
  bool counted = false;  // uses the receive maximum granted to the server

  [[nodiscard]] PacketType answer() const {
    return qos == QoS::at_least_once ? PacketType::puback : PacketType::pubrec;
  }
};

struct TakenId {
  std::uint16_t packet_id = 0;
  bool counted = false;
};

class Inbound {
 public:
  Inbound(std::span<PendingAck> pending, std::span<TakenId> taken) : pending_(pending), taken_(taken) {}

  // --- Owed acknowledgements, oldest first.
  [[nodiscard]] bool full() const { return count_ == pending_.size(); }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  void push(const PendingAck& ack);
  [[nodiscard]] PendingAck& front() { return pending_[first_]; }
  void pop_front();
  void pop_back() { --count_; }
  // The message a handle names, as long as the application has not acknowledged it.
  [[nodiscard]] PendingAck* find(AckHandle handle);
  // The unacknowledged QoS 2 message with this identifier, from whatever connection; now the latest to have
  // arrived.
  PendingAck* arrived_again(std::uint16_t packet_id);

  // --- QoS 2 identifiers between PUBREC and PUBREL, sorted.
  [[nodiscard]] TakenId* taken(std::uint16_t packet_id);
  bool take_over(std::uint16_t packet_id, bool counted);  // false: full
  void forget(std::uint16_t packet_id);
  [[nodiscard]] std::span<const TakenId> all_taken() const { return taken_.first(taken_count_); }

  // The connection ended: QoS 1 is forgotten (the server sends it again), unacknowledged QoS 2 stays with the
  // application.
  void connection_lost();
  void clear();

 private:
  [[nodiscard]] std::size_t index(std::size_t nth) const { return (first_ + nth) % pending_.size(); }
  [[nodiscard]] TakenId* lower_bound(std::uint16_t packet_id);

  std::span<PendingAck> pending_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::span<TakenId> taken_;
  std::size_t taken_count_ = 0;
};

}  // namespace mqboard::mqtt
