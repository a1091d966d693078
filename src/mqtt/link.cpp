#include "mqtt/link.hpp"

namespace mqboard::mqtt {

Link::Link(LinkOwner& owner, Session& session, TimeSource& time, std::unique_ptr<Transport> transport,
           Statistics& statistics)
    : owner_(&owner),
      session_(session),
      time_(time),
      transport_(std::move(transport)),
      statistics_(statistics),
      buffer_(kReadBytes) {}

void Link::start() { wait_for(Ready::read); }

void Link::wait_for(Ready direction) {
  bool& waiting = direction == Ready::read ? read_waiting_ : write_waiting_;
  if (waiting || !is_open()) return;
  waiting = true;
  transport_->async_wait(direction, shared_from_this());
}

void Link::on_ready(Ready direction, bool) {
  (direction == Ready::read ? read_waiting_ : write_waiting_) = false;
  if (!is_open()) return;
  const auto alive = owner_->keep_alive();
  LinkOwner& owner = *owner_;
  owner.before_link_turn();
  if (direction == Ready::read) {
    fill();
  } else {
    pump_output();
  }
  owner.on_link_turn();
}

// Reads until the transport is drained, the application is full, or others should get a turn.
void Link::fill() {
  for (int round = 0; round < kReadsPerTurn; ++round) {
    const IoResult result = transport_->read(buffer_);
    if (result.failed()) return lose(result);
    if (result.bytes != 0) {
      ++statistics_.reads;
      statistics_.bytes_received += result.bytes;
      input_ = Bytes(buffer_).first(result.bytes);
      hand_over();
    }
    if (!is_open() || stalled()) return;  // pump_input() goes on from here
    if (result.blocked) break;
  }
  wait_for(Ready::read);
}

void Link::read_now() {
  if (is_open() && !stalled()) fill();
}

void Link::pump_input() {
  const bool was_stalled = stalled();
  hand_over();
  if (was_stalled && is_open() && !stalled()) fill();
}

void Link::hand_over() {
  Bytes nothing;
  while (is_open()) {
    const bool taking = owner_->takes_input();
    const auto event = session_.poll(taking ? input_ : nothing, time_.now());
    if (!event) return note_pause(!taking && stalled());
    owner_->on_session_event(*event);
  }
}

// What the application leaves lying may hold the answers the session waits for.
void Link::note_pause(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  session_.pause_input(paused, time_.now());
}

void Link::pump_output() {
  std::array<Bytes, kPieces> pieces;
  while (is_open() && !write_waiting_) {
    const std::size_t count = session_.outgoing(pieces);
    if (count != 0 && !owner_->commit()) return;
    const IoResult result = transport_->write({pieces.data(), count});
    if (result.failed()) return lose_writing(result);
    if (result.bytes != 0) {
      ++statistics_.writes;
      statistics_.bytes_sent += result.bytes;
      session_.sent(result.bytes, time_.now());
    }
    if (result.blocked) return wait_for(Ready::write);
    if (count == 0) return;
  }
}

void Link::set_low_water(std::size_t bytes) {
  if (!is_open() || bytes == low_water_) return;
  low_water_ = bytes;
  transport_->set_low_water(bytes);
}

// A peer that refuses us says why and closes; if we were still writing then, its last words are waiting to be
// read.
void Link::lose_writing(const IoResult& result) {
  if (!stalled()) fill();
  if (is_open()) lose(result);
}

void Link::lose(const IoResult& result) {
  LinkOwner& owner = *owner_;
  close();
  owner.on_link_lost(Error(result.error, result.detail));
}

void Link::close() {
  if (!is_open()) return;
  owner_ = nullptr;
  input_ = {};
  transport_->shutdown();
  transport_->close();
}

}  // namespace mqboard::mqtt
