// All channels a board serves: finds the channel of a frame, opens new ones, answers for those that are gone.
//
// A channel is known by (session id in the topic, opener's epoch, number). Numbers of one life of an opener
// ascend; the table remembers which it has seen, so a replayed OPEN never runs an operation twice in one life
// of the board. Bounded: kMaxChannels channels, kMaxSessions openers remembered (the longest silent is
// forgotten first).
//
// Sans-I/O, allocation-free, not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/command/channel.hpp"
#include "core/command/topic.hpp"

namespace mqboard::command {

class ChannelTable {
 public:
  static constexpr std::size_t kMaxChannels = 8;
  static constexpr std::size_t kMaxSessions = 32;
  using Slot = std::uint8_t;
  using Sources = std::array<ByteSource*, kMaxChannels>;

  // `epoch`: random, not 0, of this boot. sources[slot] is what the channel in that slot sends; the owner
  // switches what is behind it when a channel opens.
  ChannelTable(std::uint32_t epoch, const ChannelConfig& config, const Sources& sources);

  enum class Kind : std::uint8_t {
    nothing,
    opened,   // a new channel in `slot`, with its first bytes; whatever was in the slot is gone
    traffic,  // of the channel in `slot`
    respond,  // publish `response` on the session's reply topic: the frame belongs to no channel here
  };
  struct Arrival {
    Kind kind = Kind::nothing;
    Slot slot = 0;
    Channel::Received received{};
    Bytes response{};  // borrowed until the next receive()
  };
  Arrival receive(std::string_view session, Bytes message, TimePoint now);

  // Null when the slot is free. Pointers hold until the slot is opened anew or freed.
  [[nodiscard]] Channel* channel(Slot slot);
  [[nodiscard]] std::string_view session(Slot slot) const;

  struct Outgoing {
    Slot slot = 0;
    std::size_t bytes = 0;  // 0: nothing to send
  };
  // The next frame of any channel, in turn.
  Outgoing poll(MutableBytes into, TimePoint now);
  [[nodiscard]] TimePoint deadline() const;
  void reconnected();  // the board's own MQTT connection is back

  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }

 private:
  struct Served {
    RequestId session;
    std::optional<Channel> channel;
  };
  // Which channel numbers of one opener were opened: the highest and, bit i, highest - 1 - i.
  struct Session {
    RequestId id;
    std::uint32_t epoch = 0;  // 0: unused
    std::uint32_t highest = 0;
    std::uint32_t earlier = 0;
    TimePoint used{};

    [[nodiscard]] bool seen(std::uint32_t number) const;
    void mark(std::uint32_t number);
  };

  Arrival open(std::string_view session, const Frame& frame, TimePoint now);
  Arrival respond(const Frame& to, FrameType type, const Status& status);
  [[nodiscard]] std::optional<Slot> vacant(TimePoint now) const;
  [[nodiscard]] Session* find_session(std::string_view id, std::uint32_t epoch);
  Session& session_of(std::string_view id, std::uint32_t epoch, TimePoint now);

  std::uint32_t epoch_;
  ChannelConfig config_;
  Sources sources_;
  std::array<Served, kMaxChannels> served_;
  std::array<Session, kMaxSessions> sessions_;
  std::size_t turn_ = 0;
  std::array<std::uint8_t, 128> response_{};
};

// The opener's answer to a frame of a channel it does not have (any more): the board may forget it. Writes an
// ABORT into `into` (>= 128 bytes) and returns its size; 0 when the frame needs no answer.
[[nodiscard]] std::size_t answer_unknown(const Frame& frame, std::uint32_t local_epoch, MutableBytes into);

}  // namespace mqboard::command
