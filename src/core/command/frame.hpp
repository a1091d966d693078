// The frames of a v2 channel, bit by bit (docs/WIRE.md, "Channel frames"). A frame is one MQTT message on
// `<p>/mqb/cmd/ch/<session>` or `<p>/mqb/reply/ch/<session>`:
//
//    0  u8   version      0x02; with bit 7 set: a sealed frame of a security layer, to be unwrapped first
//    1  u8   type         1 OPEN, 2 DATA, 3 STATE, 4 ABORT
//    2  u8   flags        01 END, 02 STATUS, 04 PROBE, 08 GAP, 10 CANCEL
//    3  u8   round        how often the sender went back, mod 256; with GAP: the round of the frame answered
//    4  u32  channel      number the opener chose, ascending from 1 within its session
//    8  u32  from_epoch   the sender's life: random, not 0, new with each start of its process
//   12  u32  to_epoch     the life the sender talks to; 0: not known yet
//   16  u64  offset       place in the sender's stream of the first data byte, or of the next it would send
//   24  u64  ack          the sender has all of the peer's stream before this place
//   32  u32  credit       the peer may send up to ack + credit
//   36  u32  largest      most data bytes the sender takes in one frame
//   40       if STATUS: u8 code, u8 0, u16 length, text of that length
//            data: what is left; none in STATE and ABORT
//
// All numbers big endian. Every frame states its sender's whole knowledge, so any frame makes up for lost
// ones before it, and a repeated or late one says nothing new.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/command/status.hpp"

namespace mqboard::command {

inline constexpr std::uint8_t kFrameVersion = 0x02;
inline constexpr std::size_t kFrameHeaderBytes = 40;
inline constexpr std::size_t kFrameStatusBytes = 4 + kMaxStatusText;
// A buffer this much larger than the data a frame is to carry holds any frame.
inline constexpr std::size_t kFrameOverhead = kFrameHeaderBytes + kFrameStatusBytes;

enum class FrameType : std::uint8_t { open = 1, data = 2, state = 3, abort = 4 };

enum FrameFlag : std::uint8_t {
  kEnd = 0x01,     // the sender's stream ends after this frame's data; the end itself takes one place
  kStatus = 0x02,  // how the operation ended; on a frame with END, or on ABORT
  kProbe = 0x04,   // answer with a STATE at once
  kGap = 0x08,     // STATE only: bytes from `ack` on are missing, send again from there
  kCancel = 0x10,  // stop the operation
};

struct Frame {
  FrameType type = FrameType::state;
  std::uint8_t flags = 0;
  std::uint8_t round = 0;
  std::uint32_t channel = 0;
  std::uint32_t from_epoch = 0;
  std::uint32_t to_epoch = 0;
  std::uint64_t offset = 0;
  std::uint64_t ack = 0;
  std::uint32_t credit = 0;
  std::uint32_t largest = 0;
  StatusCode status = StatusCode::ok;  // with kStatus
  std::string_view status_text{};      // borrowed
  Bytes data{};                        // borrowed

  [[nodiscard]] bool has(FrameFlag flag) const { return (flags & flag) != 0; }
};

// Nothing for another version, an unknown type or flag, from_epoch 0, an OPEN not at offset 0, STATUS without
// END or ABORT, ABORT without STATUS, END or data where none may be, GAP outside STATE, places beyond 2^63, a
// status text that is too long or not UTF-8. Borrows from `message`.
[[nodiscard]] std::optional<Frame> decode_frame(Bytes message);

// Writes header and status of `frame`; its data follows by whoever calls (to spare the copy). Returns the
// bytes written, 0 when they do not fit.
[[nodiscard]] std::size_t encode_frame_head(const Frame& frame, MutableBytes into);

}  // namespace mqboard::command
