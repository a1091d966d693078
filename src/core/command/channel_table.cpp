#include "core/command/channel_table.hpp"

#include <algorithm>

namespace mqboard::command {

ChannelTable::ChannelTable(std::uint32_t epoch, const ChannelConfig& config, const Sources& sources)
    : epoch_(epoch), config_(config), sources_(sources) {}

ChannelTable::Arrival ChannelTable::receive(std::string_view session, Bytes message, TimePoint now) {
  const auto frame = decode_frame(message);
  if (!frame || !is_request_id(session)) return {};
  for (std::size_t i = 0; i < kMaxChannels; ++i) {
    auto& channel = served_[i].channel;
    if (!channel || channel->number() != frame->channel || served_[i].session != session) continue;
    if (channel->identity().peer_epoch != frame->from_epoch) continue;
    if (frame->to_epoch != 0 && frame->to_epoch != epoch_) break;
    return {.kind = Kind::traffic, .slot = static_cast<Slot>(i), .received = channel->receive(*frame, now)};
  }
  if (frame->type == FrameType::abort) return {};
  if (frame->to_epoch != 0 && frame->to_epoch != epoch_)
    return respond(*frame, FrameType::abort, {StatusCode::lost, "the board restarted"});
  const Session* known = find_session(session, frame->from_epoch);
  if (known != nullptr && known->seen(frame->channel))
    return respond(*frame, FrameType::abort, {StatusCode::lost, "this channel is over"});
  if (frame->type == FrameType::open) return open(session, *frame, now);
  return respond(*frame, FrameType::state, {});  // its OPEN was lost
}

ChannelTable::Arrival ChannelTable::open(std::string_view session, const Frame& frame, TimePoint now) {
  const auto slot = vacant(now);
  if (!slot)
    return respond(frame, FrameType::abort, {StatusCode::busy, "all channels of the board are in use"});
  session_of(session, frame.from_epoch, now).mark(frame.channel);
  Served& served = served_[*slot];
  served.session = RequestId(session);
  served.channel.emplace(Channel::Identity{.role = Channel::Role::acceptor,
                                           .number = frame.channel,
                                           .local_epoch = epoch_,
                                           .peer_epoch = frame.from_epoch},
                         config_, *sources_[*slot], now);
  return {.kind = Kind::opened, .slot = *slot, .received = served.channel->receive(frame, now)};
}

// A free slot, else the channel that closed longest ago, else one of which only the last acknowledgement is
// missing, else the one whose opener is silent for longest, if that is long: a killed one says no goodbye.
std::optional<ChannelTable::Slot> ChannelTable::vacant(TimePoint now) const {
  std::optional<Slot> closed;
  std::optional<Slot> sent;
  std::optional<Slot> abandoned;
  TimePoint earliest = kNever;
  TimePoint silent = kNever;
  for (std::size_t i = 0; i < kMaxChannels; ++i) {
    const auto& channel = served_[i].channel;
    if (!channel || channel->forgettable(now)) return static_cast<Slot>(i);
    if (channel->closed() && channel->deadline() < earliest) {
      closed = static_cast<Slot>(i);
      earliest = channel->deadline();
    }
    if (channel->all_sent() && !sent) sent = static_cast<Slot>(i);
    if (channel->abandoned(now) && channel->heard_at() < silent) {
      abandoned = static_cast<Slot>(i);
      silent = channel->heard_at();
    }
  }
  if (closed) return closed;
  return sent ? sent : abandoned;
}

ChannelTable::Arrival ChannelTable::respond(const Frame& to, FrameType type, const Status& status) {
  Frame frame{.type = type,
              .flags = type == FrameType::abort ? kStatus : kGap,
              .round = to.round,
              .channel = to.channel,
              .from_epoch = epoch_,
              .to_epoch = to.from_epoch,
              .credit = config_.initial_credit,
              .largest = config_.largest_receive,
              .status = status.code,
              .status_text = status.text};
  const std::size_t size = encode_frame_head(frame, response_);
  return {.kind = Kind::respond, .response = Bytes(response_).first(size)};
}

Channel* ChannelTable::channel(Slot slot) {
  auto& channel = served_[slot].channel;
  return channel ? &*channel : nullptr;
}

std::string_view ChannelTable::session(Slot slot) const { return served_[slot].session; }

ChannelTable::Outgoing ChannelTable::poll(MutableBytes into, TimePoint now) {
  for (std::size_t i = 0; i < kMaxChannels; ++i) {
    const std::size_t slot = (turn_ + i) % kMaxChannels;
    auto& channel = served_[slot].channel;
    if (!channel) continue;
    if (channel->forgettable(now)) {
      channel.reset();
      continue;
    }
    const std::size_t bytes = channel->poll(into, now);
    if (bytes == 0) continue;
    turn_ = slot + 1;
    return {static_cast<Slot>(slot), bytes};
  }
  return {};
}

TimePoint ChannelTable::deadline() const {
  TimePoint earliest = kNever;
  for (const Served& served : served_)
    if (served.channel) earliest = std::min(earliest, served.channel->deadline());
  return earliest;
}

void ChannelTable::reconnected() {
  for (Served& served : served_)
    if (served.channel) served.channel->reconnected();
}

bool ChannelTable::Session::seen(std::uint32_t number) const {
  if (number >= highest) return number == highest;
  const std::uint32_t back = highest - number - 1;
  return back >= 32 || (earlier >> back & 1) != 0;
}

void ChannelTable::Session::mark(std::uint32_t number) {
  if (number <= highest) {
    if (number < highest) earlier |= 1u << (highest - number - 1);
    return;
  }
  const std::uint32_t ahead = number - highest;
  earlier = ahead > 32 ? 0 : ahead == 32 ? 1u << 31 : (earlier << ahead) | 1u << (ahead - 1);
  highest = number;
}

ChannelTable::Session* ChannelTable::find_session(std::string_view id, std::uint32_t epoch) {
  for (Session& session : sessions_)
    if (session.epoch == epoch && session.id == id) return &session;
  return nullptr;
}

ChannelTable::Session& ChannelTable::session_of(std::string_view id, std::uint32_t epoch, TimePoint now) {
  Session* session = find_session(id, epoch);
  if (session == nullptr) {
    const auto age = [](const Session& s) { return s.epoch == 0 ? TimePoint::min() : s.used; };
    session = &*std::ranges::min_element(sessions_, {}, age);
    *session = {.id = RequestId(id), .epoch = epoch, .highest = 0, .earlier = ~0u, .used = now};
  }
  session->used = now;
  return *session;
}

std::size_t answer_unknown(const Frame& frame, std::uint32_t local_epoch, MutableBytes into) {
  if (frame.type == FrameType::abort || frame.to_epoch != local_epoch) return 0;
  return encode_frame_head({.type = FrameType::abort,
                            .flags = kStatus,
                            .round = frame.round,
                            .channel = frame.channel,
                            .from_epoch = local_epoch,
                            .to_epoch = frame.from_epoch,
                            .status = StatusCode::lost,
                            .status_text = "no such channel"},
                           into);
}

}  // namespace mqboard::command
