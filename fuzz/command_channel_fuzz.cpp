// Arbitrary frames, times and owner calls against both ends of a channel and the board's table.
//
// The input is a script: each step a selector byte and its arguments. Beside raw messages it can send frames
// made from fields, so that the fuzzer reaches states that random bytes would not. Checked: every frame
// polled decodes again and stays within its limits, bytes are delivered at most once and within the window,
// closed channels stay closed.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/command/channel_table.hpp"
#include "core/command/record.hpp"

namespace {

using namespace mqboard;
using namespace mqboard::command;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Zeros final : ByteSource {
  bool read(std::uint64_t offset, MutableBytes into) override {
    require(offset >= released && offset + into.size() <= supplied);
    std::fill(into.begin(), into.end(), std::uint8_t{0});
    return supplied % 251 != 250;  // sometimes unreadable
  }
  void release(std::uint64_t offset) override {
    require(offset <= supplied);
    released = std::max(released, offset);
  }
  void reset() { supplied = released = 0; }
  std::uint64_t supplied = 0;
  std::uint64_t released = 0;
};

constexpr std::uint32_t kEpoch = 0xb0a4d;
constexpr std::uint32_t kPeerEpoch = 0xc11;

// A frame of the right life with fields from the script.
std::size_t make_frame(Reader& script, std::uint32_t from, std::uint32_t to, MutableBytes into) {
  Frame frame;
  frame.type = static_cast<FrameType>(1 + script.u8() % 4);
  frame.flags = script.u8() & 0x1f;
  frame.round = script.u8() & 3;
  frame.channel = 1 + script.u8() % 4;
  frame.from_epoch = script.u8() == 0 ? from + 1 : from;
  frame.to_epoch = script.u8() == 0 ? 0 : to;
  frame.offset = frame.type == FrameType::open ? 0 : script.u16();
  frame.ack = script.u16();
  frame.credit = script.u8() == 0 ? ~0u : script.u16();
  frame.largest = script.u16();
  frame.status_text = "text";
  const std::size_t head = encode_frame_head(frame, into);
  const bool carries = frame.type == FrameType::open || frame.type == FrameType::data;
  const std::size_t data = carries ? script.u16() % 2048 : 0;
  std::fill_n(into.begin() + static_cast<std::ptrdiff_t>(head), data, std::uint8_t{7});
  return head + data;
}

ChannelConfig config_from(Reader& script) {
  ChannelConfig config;
  config.window_bytes = 1 + script.u16();
  config.largest_send = 1 + script.u16() % 2048;
  config.initial_credit = 1 + script.u16();
  config.frames_in_flight = script.u8();
  return config;
}

class Machine {
 public:
  explicit Machine(Reader& script) : config_(config_from(script)), table_(kEpoch, config_, sources()) {
    client_.emplace(Channel::Identity{.number = 1, .local_epoch = kPeerEpoch}, config_, client_source_, now_);
  }

  void step(Reader& script) {
    switch (script.u8() % 10) {
      case 0:
        return raw(script.take(script.u8()));
      case 1:
        return to_board(make_frame(script, kPeerEpoch, kEpoch, buffer_));
      case 2:
        return to_client(make_frame(script, kEpoch, kPeerEpoch, buffer_));
      case 3:
        now_ += Millis(script.u16());
        return;
      case 4:
        return drive(client_source_, *client_, script);
      case 5:
        return drive_board(script);
      case 6:
        return exchange(false);
      case 7:
        return exchange(true);
      case 8:
        client_->reconnected();
        return table_.reconnected();
      case 9:
        now_ += Millis(script.u8());
        static_cast<void>(table_.deadline());
        return;
    }
  }

 private:
  ChannelTable::Sources sources() {
    ChannelTable::Sources all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = &board_sources_[i];
    return all;
  }
  void raw(Bytes message) {
    if (const auto frame = decode_frame(message))
      took(*client_, client_received_, client_->receive(*frame, now_));
    static_cast<void>(table_.receive("session", message, now_));
  }
  void to_board(std::size_t size) {
    const auto arrival = table_.receive("session", Bytes(buffer_).first(size), now_);
    if (arrival.kind == ChannelTable::Kind::respond) require(decode_frame(arrival.response).has_value());
    if (arrival.kind == ChannelTable::Kind::opened) {
      board_sources_[arrival.slot].reset();
      board_received_[arrival.slot] = 0;
    }
    if (arrival.kind == ChannelTable::Kind::opened || arrival.kind == ChannelTable::Kind::traffic)
      took(*table_.channel(arrival.slot), board_received_[arrival.slot], arrival.received);
  }
  void to_client(std::size_t size) {
    if (const auto frame = decode_frame(Bytes(buffer_).first(size)))
      took(*client_, client_received_, client_->receive(*frame, now_));
  }
  void took(Channel& channel, std::uint64_t& total, const Channel::Received& received) {
    total += received.data.size();
    require(received.data.size() <= config_.window_bytes);
    require(channel.received() >= total);
    if (received.closed) require(channel.closed());
  }
  void drive(Zeros& source, Channel& channel, Reader& script) {
    const bool was_closed = channel.closed();
    switch (script.u8() % 6) {
      case 0:
        if (!ended_[&channel == &*client_ ? ChannelTable::kMaxChannels : slot_]) {
          source.supplied += script.u16();
          channel.supply(source.supplied);
        }
        break;
      case 1:
        finish(channel, script.u8());
        break;
      case 2:
        channel.cancel();
        break;
      case 3:
        channel.abort({StatusCode::internal, "x"});
        break;
      case 4:
        channel.peer_restarted(now_);
        break;
      case 5:
        break;
    }
    require(!was_closed || channel.closed());
  }
  void finish(Channel& channel, std::uint8_t how) {
    bool& ended = ended_[&channel == &*client_ ? ChannelTable::kMaxChannels : slot_];
    if (std::exchange(ended, true)) return;
    if (how % 2 == 0)
      channel.end();
    else
      channel.finish({StatusCode::ok, "done"});
  }
  void drive_board(Reader& script) {
    slot_ = script.u8() % ChannelTable::kMaxChannels;
    Channel* channel = table_.channel(static_cast<ChannelTable::Slot>(slot_));
    if (channel != nullptr && !ended_[slot_]) drive(board_sources_[slot_], *channel, script);
  }
  // What either side has to say reaches the other, or is lost.
  void exchange(bool lose) {
    for (int i = 0; i < 50; ++i) {
      const std::size_t size = client_->poll(buffer_, now_);
      if (size == 0) break;
      require(decode_frame(Bytes(buffer_).first(size)).has_value());
      if (!lose) to_board(size);
    }
    for (int i = 0; i < 50; ++i) {
      const auto out = table_.poll(buffer_, now_);
      if (out.bytes == 0) break;
      require(decode_frame(Bytes(buffer_).first(out.bytes)).has_value());
      if (!lose) to_client(out.bytes);
    }
  }

  ChannelConfig config_;
  TimePoint now_{};
  std::array<Zeros, ChannelTable::kMaxChannels> board_sources_;
  std::array<std::uint64_t, ChannelTable::kMaxChannels> board_received_{};
  std::array<bool, ChannelTable::kMaxChannels + 1> ended_{};
  std::size_t slot_ = 0;
  ChannelTable table_;
  Zeros client_source_;
  std::uint64_t client_received_ = 0;
  std::optional<Channel> client_;
  std::array<std::uint8_t, 4096> buffer_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader script({data, size});
  Machine machine(script);
  while (!script.failed() && !script.at_end()) machine.step(script);
  return 0;
}
