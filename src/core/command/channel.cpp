#include "core/command/channel.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace mqboard::command {
namespace {

constexpr std::uint32_t kLeastLargest = 256;  // what a peer claims below this is not believed
constexpr std::uint16_t kFramesPerAck = 16;
constexpr std::uint32_t kWindowParts = 4;  // an acknowledgement is due per this part of the window
constexpr std::uint32_t kFlightParts = 4;  // and asked for per this part of a flight; no frame is larger
constexpr int kIdlePeriods = 3;            // so many keep-alives missing, nobody is there

}  // namespace

Channel::Channel(const Identity& identity, const ChannelConfig& config, ByteSource& source, TimePoint now)
    : identity_(identity),
      config_(config),
      source_(source),
      limit_(config.initial_credit),
      peer_largest_(config.initial_largest),
      flight_(config.flight),
      told_grant_(config.initial_credit),
      probe_every_(config.probe_first),
      probe_at_(now + config.probe_first),
      heard_at_(now) {
  assert(identity.local_epoch != 0);
  config_.frames_in_flight = std::clamp<std::uint16_t>(config.frames_in_flight, 1, kMaxFramesInFlight);
}

// ---- from the peer

Channel::Received Channel::receive(const Frame& frame, TimePoint now) {
  if (frame.channel != identity_.number || !take_identity(frame)) return {};
  if (phase_ != Phase::open) return answer_late(frame), Received{};
  if (frame.type == FrameType::abort) {
    const bool same_life = frame.from_epoch == identity_.peer_epoch;
    close(
        same_life ? Status(frame.status, frame.status_text) : Status(StatusCode::lost, "the peer restarted"),
        now);
    return {.closed = true};
  }
  if (frame.from_epoch != identity_.peer_epoch || !take_acknowledgement(frame, now)) return {};
  reconnected_ = false;
  heard_ = true;
  heard_at_ = now;
  probe_every_ = config_.probe_first;
  armed_ = false;
  state_due_ = state_due_ || frame.has(kProbe);

  Received received = take_stream(frame, now);
  received.cancelled = frame.has(kCancel) && !std::exchange(cancel_seen_, cancel_seen_ || frame.has(kCancel));
  close_if_done(now);
  received.closed = closed();
  return received;
}

// False: not addressed to this life of ours.
bool Channel::take_identity(const Frame& frame) {
  const bool first_flight = frame.to_epoch == 0 && identity_.role == Role::acceptor;
  if (frame.to_epoch != identity_.local_epoch && !first_flight) return false;
  if (identity_.peer_epoch == 0) identity_.peer_epoch = frame.from_epoch;
  return true;
}

// False: it acknowledges what was never sent.
bool Channel::take_acknowledgement(const Frame& frame, TimePoint now) {
  if (frame.ack > furthest_) return false;
  limit_ = heard_ ? std::max(limit_, frame.ack + frame.credit) : frame.ack + frame.credit;
  peer_largest_ = std::max(frame.largest, kLeastLargest);
  if (frame.ack > acked_) {
    acked_ = frame.ack;
    while (frames_ != 0 && frame_ends_[first_frame_] <= acked_) {
      first_frame_ = static_cast<std::uint16_t>((first_frame_ + 1) % kMaxFramesInFlight);
      --frames_;
    }
    next_ = std::max(next_, acked_);
    source_.release(std::min(acked_, supplied_));
  }
  if (timed_end_ != 0 && acked_ >= timed_end_) {
    flight_.measured(now - timed_from_, std::exchange(flight_full_, false), now);
    timed_end_ = 0;
  }
  const bool current_gap = frame.has(kGap) && frame.ack == acked_ && frame.round == round_;
  if (current_gap && next_ > acked_) {
    flight_.lost();
    go_back();
  }
  return true;
}

Channel::Received Channel::take_stream(const Frame& frame, TimePoint now) {
  if (frame.offset > received_) return notice_gap(frame), Received{};
  if (frame.type == FrameType::state || peer_ended_) {
    if (frame.type != FrameType::state) ack_at_ = std::min(ack_at_, now + config_.ack_delay);
    return {};
  }
  const auto known = std::min<std::uint64_t>(received_ - frame.offset, frame.data.size());
  Received taken{.data = frame.data.subspan(static_cast<std::size_t>(known))};
  const std::uint64_t room = grant() - received_;
  const bool whole = taken.data.size() <= room;
  if (!whole) taken.data = taken.data.first(static_cast<std::size_t>(room));
  received_ += taken.data.size();
  if (whole && frame.has(kEnd)) {
    taken.ended = peer_ended_ = true;
    ++received_;
    if (frame.has(kStatus)) {
      state_due_ = true;
      close(Status(frame.status, frame.status_text), now);
    }
  }
  if (with_status_ && open()) {  // our operation is over: nobody wants this
    consumed_ += taken.data.size();
    taken.data = {};
  }
  const bool grant_grew = !peer_ended_ && grant() >= told_grant_ + config_.window_bytes / kWindowParts;
  const bool much = received_ >= told_ack_ + config_.window_bytes / kWindowParts;
  if (grant_grew || much || ++frames_since_ack_ >= kFramesPerAck) state_due_ = true;
  ack_at_ = std::min(ack_at_, now + config_.ack_delay);
  return taken;
}

// One GAP per place and round suffices; if it is lost, the peer's probe asks again.
void Channel::notice_gap(const Frame& frame) {
  const bool told = gap_told_at_ == received_ && gap_round_ == frame.round;
  if (told && !frame.has(kProbe)) return;
  gap_due_ = true;
  gap_told_at_ = received_;
  gap_round_ = frame.round;
}

void Channel::answer_late(const Frame& frame) {
  if (frame.type != FrameType::abort && (frame.type != FrameType::state || frame.has(kProbe)))
    state_due_ = true;
}

void Channel::consume(std::uint64_t bytes) {
  if (with_status_ || closed()) return;
  consumed_ += bytes;
  assert(consumed_ <= received_);
  if (!peer_ended_ && grant() >= told_grant_ + config_.window_bytes / kWindowParts) state_due_ = true;
}

void Channel::close_if_done(TimePoint now) {
  if (phase_ != Phase::open || !ending_ || acked_ != our_end()) return;
  if (with_status_)
    close(Status(status_), now);
  else if (peer_ended_)
    close({}, now);
}

void Channel::close(const Status& status, TimePoint now) {
  phase_ = Phase::closed;
  status_ = status;
  forget_at_ = now + config_.linger;
  state_due_ = state_due_ || (peer_ended_ && told_ack_ < received_);
  probe_due_ = gap_due_ = false;
  ack_at_ = kNever;
}

// ---- to the peer

void Channel::supply(std::uint64_t total_bytes) {
  assert(total_bytes >= supplied_ && (!ending_ || total_bytes == supplied_));
  supplied_ = total_bytes;
}

void Channel::end() { ending_ = true; }

void Channel::finish(const Status& status) {
  if (phase_ != Phase::open || with_status_) return;
  assert(!ending_);
  status_ = status;
  with_status_ = ending_ = true;
  consumed_ = received_ - (peer_ended_ ? 1 : 0);
}

void Channel::cancel() {
  if (phase_ != Phase::open || cancelling_) return;
  cancelling_ = state_due_ = true;
}

void Channel::abort(const Status& status) {
  if (phase_ != Phase::open) return;
  status_ = status;
  phase_ = Phase::aborting;
}

// ---- driving

std::size_t Channel::poll(MutableBytes into, TimePoint now) {
  run_timers(now);
  if (phase_ == Phase::aborting) {
    close(Status(status_), now);
    aborted_ = true;
    return poll_abort(into);
  }
  if (closed()) {
    if (!std::exchange(state_due_, false)) return 0;
    return aborted_ ? poll_abort(into) : poll_state(into);
  }
  if (gap_due_) return poll_state(into);
  if (const std::size_t size = poll_stream(into, now); size != 0 || phase_ != Phase::open) return size;
  return state_due_ || probe_due_ ? poll_state(into) : 0;
}

void Channel::run_timers(TimePoint now) {
  if (closed()) return;
  if (now >= heard_at_ + config_.peer_timeout) {
    close({StatusCode::timed_out, "nothing heard from the peer"}, now);
    aborted_ = true;
    return;
  }
  if (now >= ack_at_) state_due_ = true;
  arm_probe(now);
  if (now < probe_time()) return;
  if (identity_.role == Role::opener && !heard_)
    go_back();
  else
    probe_due_ = true;
  if (outstanding()) probe_every_ = std::min(probe_every_ * 2, config_.probe_most);
  probe_at_ = now + (outstanding() ? probe_every_ : config_.keep_alive);
}

// The first silence counts from when something became outstanding.
void Channel::arm_probe(TimePoint now) {
  if (outstanding() && !armed_) probe_at_ = now + probe_every_;
  armed_ = outstanding();
}

bool Channel::outstanding() const {
  const bool unsent = next_ < supplied_ || (ending_ && next_ < our_end());
  return unsent || acked_ < next_ || cancelling_;
}

TimePoint Channel::probe_time() const {
  if (outstanding()) return probe_at_;
  return identity_.role == Role::opener ? std::max(probe_at_, heard_at_ + config_.keep_alive) : kNever;
}

TimePoint Channel::deadline() const {
  if (closed()) return forget_at_;
  return std::min({ack_at_, probe_time(), heard_at_ + config_.peer_timeout});
}

bool Channel::abandoned(TimePoint now) const {
  const Millis patience = outstanding() ? config_.abandoned_after : kIdlePeriods * config_.keep_alive;
  return open() && identity_.role == Role::acceptor && now >= heard_at_ + patience;
}

void Channel::reconnected() {
  if (phase_ != Phase::open) return;
  reconnected_ = heard_ && acked_ < next_;
  probe_every_ = config_.probe_first;
  armed_ = false;
  if (identity_.role == Role::opener && !heard_)
    go_back();
  else
    probe_due_ = true;
}

void Channel::peer_restarted(TimePoint now) {
  if (phase_ == Phase::open) close({StatusCode::lost, "the peer restarted"}, now);
}

void Channel::go_back() {
  next_ = acked_;
  first_frame_ = frames_ = 0;
  asked_ = acked_;
  timed_end_ = 0;
  ++round_;
}

Frame Channel::make_frame(FrameType type) const {
  Frame frame{.type = type,
              .round = round_,
              .channel = identity_.number,
              .from_epoch = identity_.local_epoch,
              .to_epoch = identity_.peer_epoch,
              .offset = next_,
              .ack = received_,
              .credit = static_cast<std::uint32_t>(grant() + (peer_ended_ ? 1 : 0) - received_),
              .largest = config_.largest_receive};
  if (cancelling_ && phase_ == Phase::open) frame.flags |= kCancel;
  return frame;
}

std::size_t Channel::poll_stream(MutableBytes into, TimePoint now) {
  if (frames_ == config_.frames_in_flight || next_ > supplied_ || reconnected_) return 0;
  const std::size_t overhead = kFrameHeaderBytes + (with_status_ ? 4 + status_.text.size() : 0);
  if (into.size() <= overhead) return 0;
  const auto bytes = static_cast<std::size_t>(sendable(into.size() - overhead));
  const bool ends = ending_ && next_ + bytes == supplied_;
  if (bytes == 0 && !ends) return 0;

  const bool opens = identity_.role == Role::opener && next_ == 0;
  Frame frame = make_frame(opens ? FrameType::open : FrameType::data);
  if (ends) frame.flags |= kEnd;
  if (ends && with_status_) {
    frame.flags |= kStatus;
    frame.status = status_.code;
    frame.status_text = status_.text;
  }
  const bool asks = asks_acknowledgement(next_ + bytes, now);
  if (probe_due_ || asks || (opens && round_ != 0)) frame.flags |= kProbe;
  const std::size_t head = write_head(frame, into);
  if (bytes != 0 && !source_.read(next_, into.subspan(head, bytes))) {
    abort({StatusCode::io, "the data to send cannot be read any more"});
    return poll(into, now);
  }
  probe_due_ = false;
  note_sent(next_ + bytes + (ends ? 1 : 0), bytes, now);
  return head + bytes;
}

// How many bytes the next frame may hold, of which `room` fit.
std::uint64_t Channel::sendable(std::size_t room) {
  const std::uint64_t credit = limit_ > next_ ? limit_ - next_ : 0;
  const std::uint64_t part = std::max<std::uint64_t>(flight_.bytes() / kFlightParts, kLeastLargest);
  const std::uint64_t bytes =
      std::min<std::uint64_t>({supplied_ - next_, credit, room, config_.largest_send, peer_largest_, part});
  const std::uint64_t under_way = next_ - acked_;
  if (under_way == 0 || under_way + bytes <= flight_.bytes()) return bytes;
  flight_full_ = true;
  return 0;
}

// One frame in each part of a flight is acknowledged at once, which also times the path. What fits into a
// single part is not worth a message of the peer's.
bool Channel::asks_acknowledgement(std::uint64_t end, TimePoint now) {
  if (end - asked_ < flight_.bytes() / kFlightParts) return false;
  asked_ = end;
  if (timed_end_ == 0) {
    timed_end_ = end;
    timed_from_ = now;
  }
  return true;
}

void Channel::note_sent(std::uint64_t end, std::size_t bytes, TimePoint now) {
  if (frames_ == 0) probe_at_ = now + probe_every_;
  frame_ends_[(first_frame_ + frames_) % kMaxFramesInFlight] = end;
  ++frames_;
  if (next_ < furthest_) sent_again_ += std::min<std::uint64_t>(bytes, furthest_ - next_);
  next_ = end;
  furthest_ = std::max(furthest_, end);
}

std::size_t Channel::poll_state(MutableBytes into) {
  if (into.size() < kFrameHeaderBytes) return 0;
  Frame frame = make_frame(FrameType::state);
  if (gap_due_) {
    frame.flags |= kGap;
    frame.round = gap_round_;
    gap_due_ = false;
  }
  if (probe_due_) frame.flags |= kProbe;
  probe_due_ = false;
  return write_head(frame, into);
}

std::size_t Channel::poll_abort(MutableBytes into) {
  Frame frame = make_frame(FrameType::abort);
  frame.flags = kStatus;
  frame.status = status_.code;
  frame.status_text = status_.text;
  return write_head(frame, into);
}

std::size_t Channel::write_head(const Frame& frame, MutableBytes into) {
  const std::size_t size = encode_frame_head(frame, into);
  if (size == 0) return 0;
  told_ack_ = received_;
  told_grant_ = std::max(told_grant_, grant());
  frames_since_ack_ = 0;
  state_due_ = false;
  ack_at_ = kNever;
  return size;
}

}  // namespace mqboard::command
