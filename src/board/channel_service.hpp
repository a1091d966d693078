// Serves the v2 channels (docs/WIRE.md, "v2: channels"): frames in and out, one Operation behind each
// channel.
//
// Memory is bounded by the channels there can be, ReplyStream::kRoom for each, and what an operation holds.
// Threads: the I/O thread only.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "board/operation.hpp"
#include "board/outbox.hpp"
#include "board/services.hpp"
#include "core/command/channel_table.hpp"

namespace mqboard::board {

class ChannelService final : public MessageSource {
 public:
  struct Environment {
    std::string prefix;
    Outbox& outbox;
    Services& services;
    std::uint32_t epoch;  // random, not 0
    std::function<TimePoint()> now;
    // Runs a function on the I/O thread soon; called from any thread.
    std::function<void(std::function<void()>)> post;
    // Calls on_timer() at this time; kNever: not. The last call counts.
    std::function<void(TimePoint)> wake_at;
  };

  explicit ChannelService(Environment environment);
  ~ChannelService();
  ChannelService(const ChannelService&) = delete;
  ChannelService& operator=(const ChannelService&) = delete;

  // A message to `<prefix>/mqb/cmd/ch/<session>`. False when it is none.
  bool handle(std::string_view topic, Bytes payload, bool retained);
  std::optional<Outgoing> next() override;
  void on_timer();
  void reconnected();

  [[nodiscard]] std::uint32_t epoch() const { return table_.epoch(); }
  [[nodiscard]] static command::ChannelConfig config() { return {}; }
  [[nodiscard]] std::size_t open_channels() const;

 private:
  using Slot = command::ChannelTable::Slot;
  class Session;
  // What the table reads from: the session now in the slot.
  class SlotSource final : public command::ByteSource {
   public:
    bool read(std::uint64_t offset, MutableBytes into) override;
    void release(std::uint64_t offset) override;
    std::shared_ptr<Session> session;
  };

  command::ChannelTable::Sources sources();
  void take(Slot slot, const command::Channel::Received& received);
  void pump(Session& session);
  void settle(Slot slot);
  void rearm();

  Environment env_;
  std::array<SlotSource, command::ChannelTable::kMaxChannels> slots_;
  command::ChannelTable table_;
  std::vector<std::uint8_t> frame_;
  command::Topic topic_;
};

}  // namespace mqboard::board
