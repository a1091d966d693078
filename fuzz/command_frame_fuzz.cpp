// Arbitrary bytes as one frame: decoding, encoding back to the same bytes, and a channel in mid-transfer
// receiving it.
#include <algorithm>
#include <cstdlib>

#include "core/command/channel.hpp"

namespace {

using namespace mqboard;
using namespace mqboard::command;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Zeros final : ByteSource {
  bool read(std::uint64_t, MutableBytes into) override {
    std::ranges::fill(into, std::uint8_t{0});
    return true;
  }
};

void receive(Bytes message, Channel::Role role) {
  Zeros source;
  Channel channel({.role = role, .number = 1, .local_epoch = 2, .peer_epoch = 1}, {}, source, TimePoint{});
  channel.supply(100);
  std::uint8_t out[512];
  require(channel.poll(out, TimePoint{}) == kFrameHeaderBytes + 100);
  const auto frame = decode_frame(message);
  if (!frame) return;
  const auto received = channel.receive(*frame, TimePoint{});
  require(received.data.size() <= frame->data.size());
  require(channel.closed() == received.closed);
  if (const std::size_t size = channel.poll(out, TimePoint{}); size != 0)
    require(decode_frame(Bytes(out).first(size)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes message(data, size);
  if (const auto frame = decode_frame(message)) {
    std::uint8_t head[kFrameOverhead];
    const std::size_t bytes = encode_frame_head(*frame, head);
    require(bytes + frame->data.size() == size && std::equal(head, head + bytes, data));
  }
  receive(message, Channel::Role::acceptor);
  receive(message, Channel::Role::opener);
  return 0;
}
