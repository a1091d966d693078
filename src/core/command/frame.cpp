#include "core/command/frame.hpp"

#include "core/base/utf8.hpp"

namespace mqboard::command {
namespace {

constexpr std::uint8_t kAllFlags = kEnd | kStatus | kProbe | kGap | kCancel;
constexpr std::uint64_t kFurthestPlace = std::uint64_t{1} << 63;

bool is_coherent(const Frame& frame) {
  const bool streams = frame.type == FrameType::open || frame.type == FrameType::data;
  const bool aborts = frame.type == FrameType::abort;
  if (frame.from_epoch == 0 || (frame.flags & ~kAllFlags) != 0) return false;
  if (frame.offset >= kFurthestPlace || frame.ack >= kFurthestPlace) return false;
  if (frame.type == FrameType::open && frame.offset != 0) return false;
  if (frame.has(kEnd) && !streams) return false;
  if (frame.has(kStatus) != aborts && !(frame.has(kStatus) && frame.has(kEnd))) return false;
  if (frame.has(kGap) && frame.type != FrameType::state) return false;
  return streams || frame.data.empty();
}

}  // namespace

std::optional<Frame> decode_frame(Bytes message) {
  Reader reader(message);
  if (reader.u8() != kFrameVersion) return std::nullopt;
  Frame frame;
  const std::uint8_t type = reader.u8();
  if (type < 1 || type > 4) return std::nullopt;
  frame.type = static_cast<FrameType>(type);
  frame.flags = reader.u8();
  frame.round = reader.u8();
  frame.channel = reader.u32();
  frame.from_epoch = reader.u32();
  frame.to_epoch = reader.u32();
  frame.offset = reader.u64();
  frame.ack = reader.u64();
  frame.credit = reader.u32();
  frame.largest = reader.u32();
  if (frame.has(kStatus)) {
    frame.status = static_cast<StatusCode>(reader.u8());
    if (reader.u8() != 0) return std::nullopt;
    frame.status_text = as_text(reader.take(reader.u16()));
    if (frame.status_text.size() > kMaxStatusText || !is_utf8(as_bytes(frame.status_text)))
      return std::nullopt;
  }
  if (reader.failed()) return std::nullopt;
  frame.data = reader.rest();
  if (!is_coherent(frame)) return std::nullopt;
  return frame;
}

std::size_t encode_frame_head(const Frame& frame, MutableBytes into) {
  Writer writer(into);
  writer.u8(kFrameVersion);
  writer.u8(static_cast<std::uint8_t>(frame.type));
  writer.u8(frame.flags);
  writer.u8(frame.round);
  writer.u32(frame.channel);
  writer.u32(frame.from_epoch);
  writer.u32(frame.to_epoch);
  writer.u64(frame.offset);
  writer.u64(frame.ack);
  writer.u32(frame.credit);
  writer.u32(frame.largest);
  if (frame.has(kStatus)) {
    writer.u8(static_cast<std::uint8_t>(frame.status));
    writer.u8(0);
    writer.u16(static_cast<std::uint16_t>(frame.status_text.size()));
    writer.text(frame.status_text);
  }
  return writer.failed() ? 0 : writer.size();
}

}  // namespace mqboard::command
