// A v2 channel: a reliable, flow-controlled, cancellable duplex byte stream between two peers over frames
// that may be lost, repeated, reordered or replayed. Both ends are this machine. What the streams mean is
// operations.hpp.
//
// How it recovers. The sender keeps nothing but places in its stream: whatever is unacknowledged it reads
// again from its ByteSource. The receiver takes bytes in order and drops what comes after a gap. A frame
// whose offset is beyond what the receiver has shows the gap; the receiver says so once (GAP), the sender
// goes back to `ack` and starts a new round; a GAP about an earlier round is stale. A sender that hears
// nothing probes, ever more slowly; the answer to a probe shows what was lost. So there is no timer that
// resends data: a slow link is not made slower. After a reconnection nothing new is sent until the peer has
// said what it has.
//
// How much is under way: at most what the peer grants, and what FlightControl finds the path to carry. To
// measure that, a data frame in each quarter of a flight asks for an acknowledgement (PROBE).
//
// How it ends. Each direction may END (half close). An END with a STATUS is the end of the operation: its
// sender wants no more data and the receiver drops what it had not sent. ABORT is an end that does not wait
// for the stream. A peer with another epoch is another life of it: the channel is lost, and the operation is
// opened again on a new one.
//
// State, seen from one end (events are receive() unless named):
//
//   open    | STATUS received in order, or our END with STATUS acknowledged      -> closed
//           | both ENDs through without a STATUS                                 -> closed
//           | ABORT, or a peer of another life, or silence for peer_timeout      -> closed; status() says why
//           | abort()                                                            -> closed, ABORT polled
//   closed  | answers late frames so that the peer can close too; after `linger` it may be forgotten
//
// Sans-I/O: the owner hands in frames and time, polls frames out when its MQTT publish window has room, and
// asks deadline() when to poll again though nothing happened. No allocation. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "core/command/flight_control.hpp"
#include "core/command/frame.hpp"

namespace mqboard::command {

// Where a channel's outgoing bytes are read, possibly more than once: a file, a ring of recent output, a
// text.
class ByteSource {
 public:
  // Fills `into` with the bytes at `offset`, all of which were announced by Channel::supply and are not
  // released. False: they cannot be read any more; the channel aborts with StatusCode::io.
  virtual bool read(std::uint64_t offset, MutableBytes into) = 0;
  // The peer has everything before `offset`; it is never asked for again.
  virtual void release(std::uint64_t offset) { static_cast<void>(offset); }

 protected:
  ~ByteSource() = default;
};

struct ChannelConfig {
  // How far the peer may be ahead of consume(): what can arrive per round trip (1 MiB at 100 ms: 10 MB/s).
  std::uint32_t window_bytes = 1u << 20;
  std::uint32_t largest_receive = 64u << 10;  // data bytes accepted in one frame
  std::uint32_t largest_send = 32u << 10;     // data bytes to put into one frame
  // Until the peer was heard: so much may be sent, in frames so large. Every peer takes 16 KiB; its status
  // announcement may promise more. At least 1.
  std::uint32_t initial_credit = 16u << 10;
  std::uint32_t initial_largest = 16u << 10;
  std::uint16_t frames_in_flight =
      64;  // unacknowledged frames, 1 .. kMaxFramesInFlight; 16 or more for speed
  FlightLimits flight{};
  Millis ack_delay{40};       // how long an acknowledgement may wait for company
  Millis probe_first{1'000};  // silence before the first probe; doubles up to ...
  Millis probe_most{15'000};
  Millis keep_alive{20'000};      // opener only: probe an idle channel this often
  Millis peer_timeout{90'000};    // silence that ends the channel: timed_out
  Millis linger{60'000};          // a closed channel answers late frames so long: several probes
  Millis abandoned_after{5'000};  // silence of a peer that owes an answer: see abandoned()
};

class Channel {
 public:
  static constexpr std::uint16_t kMaxFramesInFlight = 128;

  enum class Role : std::uint8_t { opener, acceptor };

  struct Identity {
    Role role = Role::opener;
    std::uint32_t number = 0;
    std::uint32_t local_epoch = 0;  // not 0
    std::uint32_t peer_epoch = 0;   // 0: not known (opener before its first answer)
  };

  // `source` is borrowed for the channel's life.
  Channel(const Identity& identity, const ChannelConfig& config, ByteSource& source, TimePoint now);

  // ---- from the peer

  struct Received {
    Bytes data{};  // the next bytes of the peer's stream, borrowed from the frame; all of them are taken
    bool ended = false;      // the peer's stream ends after `data`
    bool cancelled = false;  // the peer asks to stop; once
    bool closed = false;     // the channel closed with this frame; see status()
  };
  Received receive(const Frame& frame, TimePoint now);

  // The owner is done with so many bytes of `data`: they are granted to the peer again. Together never more
  // than received.
  void consume(std::uint64_t bytes);

  // ---- to the peer

  // So many bytes of our stream exist in the source by now; never less than before.
  void supply(std::uint64_t total_bytes);
  // Our stream ends where supply() stands. The opener's end; nothing may be supplied after it.
  void end();
  // The operation is over: our stream ends where supply() stands, with this status.
  void finish(const Status& status);
  // Ask the peer to stop. Its status is still to come.
  void cancel();
  // Over at once, undelivered bytes notwithstanding.
  void abort(const Status& status);

  // ---- driving

  // Writes the next frame worth sending into `into` and returns its size; 0: nothing to send now. Give it
  // largest_send + kFrameOverhead bytes; with less, frames are smaller.
  std::size_t poll(MutableBytes into, TimePoint now);
  // When to poll next without a reason from outside; kNever when closed and lingered.
  [[nodiscard]] TimePoint deadline() const;
  // The MQTT connection is back: find out at once what was lost.
  void reconnected();
  // Whether the peer is still there: an answer moves heard_at().
  void ask() { probe_due_ = probe_due_ || open(); }
  // The peer is known (from its status announcement) to have restarted.
  void peer_restarted(TimePoint now);

  [[nodiscard]] bool open() const { return phase_ == Phase::open; }
  [[nodiscard]] bool closed() const { return phase_ == Phase::closed; }
  // Closed, and nobody will ask any more.
  [[nodiscard]] bool forgettable(TimePoint now) const { return closed() && now >= forget_at_; }
  // The peer is probably gone, though this end still waits for it: whoever needs room may take it.
  [[nodiscard]] bool abandoned(TimePoint now) const;
  [[nodiscard]] TimePoint heard_at() const { return heard_at_; }
  [[nodiscard]] const Status& status() const { return status_; }  // how it closed
  [[nodiscard]] std::uint32_t number() const { return identity_.number; }
  [[nodiscard]] const Identity& identity() const { return identity_; }
  [[nodiscard]] bool heard() const { return heard_; }  // anything ever from the peer on this channel
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acked_; }
  [[nodiscard]] std::uint64_t bytes_sent_again() const { return sent_again_; }
  // All of our stream with its end was sent at least once; only acknowledgement is awaited.
  [[nodiscard]] bool all_sent() const { return ending_ && furthest_ == our_end(); }

 private:
  enum class Phase : std::uint8_t { open, aborting, closed };

  // receiving
  bool take_identity(const Frame& frame);
  bool take_acknowledgement(const Frame& frame, TimePoint now);
  Received take_stream(const Frame& frame, TimePoint now);
  void notice_gap(const Frame& frame);
  void answer_late(const Frame& frame);
  void close_if_done(TimePoint now);
  void close(const Status& status, TimePoint now);

  // sending
  [[nodiscard]] bool outstanding() const;
  [[nodiscard]] TimePoint probe_time() const;
  [[nodiscard]] Frame make_frame(FrameType type) const;
  std::size_t poll_stream(MutableBytes into, TimePoint now);
  std::size_t poll_state(MutableBytes into);
  std::size_t poll_abort(MutableBytes into);
  std::size_t write_head(const Frame& frame, MutableBytes into);
  void note_sent(std::uint64_t end, std::size_t bytes, TimePoint now);
  std::uint64_t sendable(std::size_t room);
  bool asks_acknowledgement(std::uint64_t end, TimePoint now);
  void run_timers(TimePoint now);
  void arm_probe(TimePoint now);
  void go_back();

  [[nodiscard]] std::uint64_t our_end() const { return supplied_ + 1; }  // with the place the end takes
  [[nodiscard]] std::uint64_t grant() const { return consumed_ + config_.window_bytes; }

  Identity identity_;
  ChannelConfig config_;
  ByteSource& source_;
  Phase phase_ = Phase::open;
  Status status_;

  // Our stream: acked_ <= next_ <= furthest_ <= our_end().
  std::uint64_t acked_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t furthest_ = 0;  // what was ever sent
  std::uint64_t supplied_ = 0;
  std::uint64_t limit_;
  std::uint64_t sent_again_ = 0;
  std::uint32_t peer_largest_;
  std::uint8_t round_ = 0;
  FlightControl flight_;
  std::uint64_t asked_ = 0;      // an acknowledgement was asked for up to this place
  std::uint64_t timed_end_ = 0;  // the frame that ends here is being timed; 0: none is
  TimePoint timed_from_{};
  bool flight_full_ = false;  // more would have been sent since, but for the flight's limit
  bool reconnected_ = false;  // what the peer has is not known yet
  bool ending_ = false;
  bool with_status_ = false;
  bool cancelling_ = false;
  std::array<std::uint64_t, kMaxFramesInFlight>
      frame_ends_{};  // of unacknowledged frames: a ring, oldest first
  std::uint16_t first_frame_ = 0;
  std::uint16_t frames_ = 0;

  // The peer's stream: consumed_ <= received_ <= grant() + 1.
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t told_ack_ = 0;  // in our last frame
  std::uint64_t told_grant_;
  std::uint64_t gap_told_at_ = ~std::uint64_t{0};
  std::uint16_t frames_since_ack_ = 0;
  std::uint8_t gap_round_ = 0;
  bool peer_ended_ = false;
  bool cancel_seen_ = false;
  bool heard_ = false;

  // What is due.
  bool state_due_ = false;
  bool probe_due_ = false;
  bool gap_due_ = false;
  bool armed_ = false;    // probe_at_ belongs to what is outstanding now
  bool aborted_ = false;  // late frames are answered by ABORT, not by STATE
  Millis probe_every_;
  TimePoint ack_at_ = kNever;
  TimePoint probe_at_;
  TimePoint heard_at_;
  TimePoint forget_at_ = kNever;
};

}  // namespace mqboard::command
