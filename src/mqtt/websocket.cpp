#include "mqtt/websocket.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

#include "mqtt/gather.hpp"
#include "mqtt/websocket_frames.hpp"

namespace mqboard::mqtt {
namespace {

constexpr std::uint16_t kNormalClosure = 1000;  // RFC 6455, section 7.4.1
constexpr std::uint16_t kProtocolError = 1002;

// Frames are stripped where they were read, so nothing lies in this layer that the layer below does not
// announce, but for what came with the server's answer and for how the stream ended.
class WebSocketTransport final : public Transport {
 public:
  WebSocketTransport(asio::any_io_executor executor, std::unique_ptr<Transport> below,
                     std::vector<std::uint8_t> early)
      : executor_(std::move(executor)), below_(std::move(below)), early_(std::move(early)) {}

  IoResult read(MutableBytes into) override {
    IoResult result = end_;
    while (result.bytes == 0 && !result.blocked && !result.failed() && !into.empty()) {
      IoResult raw = early_.empty() ? below_->read(into) : take_early(into);
      result.bytes = frames_.strip(into.first(raw.bytes));
      result.blocked = raw.blocked;
      if (frames_.ended()) {
        raw.error = frames_.broken() ? Errc::protocol_error : Errc::connection_closed;
        raw.detail = frames_.reason();
      } else if (const auto ping = frames_.take_ping()) {
        answer(*ping);
      }
      if (raw.failed()) end_ = {.error = raw.error, .detail = std::move(raw.detail)};
      if (end_.failed() && result.bytes == 0) return end_;
      if (end_.failed()) result.blocked = false;
    }
    return result;
  }

  IoResult write(std::span<const Bytes> pieces) override {
    IoResult result = flush();
    for (std::size_t offset = 0; !pieces.empty() && !result.blocked && !result.failed();) {
      const std::size_t taken = stage(FrameKind::binary, pieces, offset);
      const std::size_t before = result.bytes;
      result = flush();
      result.bytes = before + taken;
    }
    return result;
  }

  void async_wait(Ready direction, std::shared_ptr<ReadyHandler> handler) override {
    if (direction == Ready::read && (!early_.empty() || end_.failed())) {
      return asio::post(executor_, [handler = std::move(handler)] { handler->on_ready(Ready::read, true); });
    }
    below_->async_wait(direction, std::move(handler));
  }

  void set_low_water(std::size_t bytes) override { below_->set_low_water(bytes); }

  [[nodiscard]] bool resumed() const override { return below_->resumed(); }

  void shutdown() override {
    if (const IoResult flushed = flush(); !flushed.blocked && !flushed.failed()) {
      const std::uint16_t code = frames_.broken() ? kProtocolError : kNormalClosure;
      const std::uint8_t payload[] = {static_cast<std::uint8_t>(code >> 8U), static_cast<std::uint8_t>(code)};
      stage(FrameKind::close, payload);
      static_cast<void>(flush());
    }
    below_->shutdown();
  }

  void close() override { below_->close(); }

 private:
  IoResult take_early(MutableBytes into) {
    const std::size_t count = std::min(into.size(), early_.size());
    std::memcpy(into.data(), early_.data(), count);
    early_.erase(early_.begin(), early_.begin() + static_cast<std::ptrdiff_t>(count));
    return {.bytes = count};
  }

  // While the socket takes nothing only the latest ping is worth an answer (section 5.5.3), and a missing one
  // harms nobody.
  void answer(Bytes ping) {
    if (stage_.size() - staged_ >= kMaxFrameHeader + kMaxControlBytes) stage(FrameKind::pong, ping);
    static_cast<void>(flush());  // a failure comes up again in the next write or read
  }

  void stage(FrameKind kind, Bytes payload) {
    std::span<const Bytes> pieces(&payload, 1);
    std::size_t offset = 0;
    stage(kind, pieces, offset);
  }

  // Makes one frame of as much as fits. Returns how much that is.
  std::size_t stage(FrameKind kind, std::span<const Bytes>& pieces, std::size_t& offset) {
    std::size_t size = 0;
    for (const Bytes piece : pieces) size += piece.size();
    const MutableBytes room = MutableBytes(stage_).subspan(staged_);
    size = std::min(size - offset, room.size() - kMaxFrameHeader);
    MaskingKey key;
    RAND_bytes(key.data(), static_cast<int>(key.size()));
    const std::size_t header = write_frame_header(kind, size, key, room);
    const MutableBytes payload = room.subspan(header, size);
    gather(pieces, offset, payload);
    mask(payload, key);
    staged_ += header + size;
    return size;
  }

  // Also asks the layer below to get rid of what it holds itself.
  IoResult flush() {
    for (;;) {
      const Bytes piece = Bytes(stage_).subspan(flushed_, staged_ - flushed_);
      IoResult result = below_->write({&piece, 1});
      flushed_ += std::exchange(result.bytes, 0);
      if (flushed_ == staged_) flushed_ = staged_ = 0;
      if (staged_ == 0 || result.blocked || result.failed()) return result;
    }
  }

  static constexpr std::size_t kStageBytes = 16 * 1024;

  asio::any_io_executor executor_;
  std::unique_ptr<Transport> below_;
  std::vector<std::uint8_t> early_;
  FrameReader frames_;
  IoResult end_;  // how the stream ended, once all payload before that is taken
  std::size_t flushed_ = 0;
  std::size_t staged_ = 0;
  std::array<std::uint8_t, kStageBytes> stage_;
};

}  // namespace

std::unique_ptr<Transport> make_websocket_transport(asio::any_io_executor executor,
                                                    std::unique_ptr<Transport> below,
                                                    std::vector<std::uint8_t> early) {
  return std::make_unique<WebSocketTransport>(std::move(executor), std::move(below), std::move(early));
}

}  // namespace mqboard::mqtt
