// The inside of a Session. Member functions are spread by role:
//
//   session.cpp           construction, connecting and disconnecting, forwarding of the public calls
//   session_receive.cpp   poll(): one handler per packet type, all reactions to the server
//   session_publish.cpp   operations of the application, and what goes into the out queue when
//   session_time.cpp      sent(), deadlines, PINGREQ
//   session_restore.cpp   records of the persistence, losing a session
//
// Invariants (rechecked by invariants_hold()):
//   - every slot that is not free is in exactly one list, the one its state belongs to
//   - of `publishes`, the slots before `next_publish` are staged on this connection, the others are not
//   - `window_used` is the number of slots with `counted`
//   - blocks of the store are free or in the chain of exactly one slot
//   - `order` ascends along `publishes` and along `releases`
#pragma once

#include "core/base/crc32.hpp"
#include "core/mqtt/block_store.hpp"
#include "core/mqtt/decoder.hpp"
#include "core/mqtt/framer.hpp"
#include "core/mqtt/inbound.hpp"
#include "core/mqtt/out_queue.hpp"
#include "core/mqtt/property_table.hpp"
#include "core/mqtt/session.hpp"
#include "core/mqtt/slots.hpp"
#include "core/mqtt/topic_aliases.hpp"

namespace mqboard::mqtt {

// The arrays a session works on, all in one block of memory.
struct SessionMemory {
  // Lays them out from `base` on; with null it only counts. `bytes` tells how much they take.
  SessionMemory(const SessionLimits& limits, std::byte* base);

  MutableBytes out_ring;
  std::span<OutQueue::Entry> out_entries;
  std::span<Block> blocks;
  std::span<Slot> slots;
  MutableBytes inbound;
  std::span<PendingAck> pending;
  std::span<TakenId> taken;
  std::span<std::uint16_t> alias_sizes_in, alias_sizes_out;
  std::span<std::uint32_t> alias_uses_out;
  MutableBytes alias_text_in, alias_text_out;
  std::size_t bytes = 0;
};

struct Session::Parts {
  enum class Phase : std::uint8_t {
    offline,     // no transport
    connecting,  // CONNECT is queued or sent
    connected,   // CONNACK said yes
    closing,     // our DISCONNECT is queued
    over         // event::Closed is due or delivered; only transport_lost() leads on
  };

  Parts(const SessionLimits& limits, const SessionConfig& config, const SessionMemory& memory,
        Persistence* persistence);

  // --- session.cpp
  Outcome<void> connect(const ConnectOptions& options, TimePoint now);
  void transport_lost();
  Outcome<void> disconnect(ReasonCode reason, PropertyView properties, TimePoint now);
  Outcome<void> authenticate(ReasonCode reason, PropertyView properties, TimePoint now);
  void close(CloseCause cause, ReasonCode reason, TimePoint now, Violation violation = Violation::none);
  Outcome<void> say(PacketType type, ReasonCode reason, PropertyView properties, TimePoint now);
  [[nodiscard]] bool too_large(const Encodable& packet) const;
  [[nodiscard]] bool is_our_method(const std::optional<std::string_view>& method) const {
    return authenticating && method && crc32(as_bytes(*method)) == method_crc;
  }
  [[nodiscard]] bool in_use() const { return phase == Phase::connecting || phase == Phase::connected; }
  [[nodiscard]] bool may_send_operations() const {
    return phase == Phase::connected || (phase == Phase::connecting && pipelining);
  }
  [[nodiscard]] bool invariants_hold() const;

  // --- session_receive.cpp
  using Handler = bool (Parts::*)(const Frame&, TimePoint, std::optional<Event>&);
  struct PacketRow;
  static const PacketRow kPacketRows[16];
  std::optional<Event> poll(Bytes& input, TimePoint now);
  std::optional<Event> pending_event();
  // Reacts to a frame. False: it has to wait, show it again later.
  bool handle(const Frame& frame, TimePoint now, std::optional<Event>& out);
  bool on_connack(const Frame&, TimePoint, std::optional<Event>&);
  bool on_publish(const Frame&, TimePoint, std::optional<Event>&);
  bool on_body(const Frame&, TimePoint, std::optional<Event>&);
  bool on_puback(const Frame&, TimePoint, std::optional<Event>&);
  bool on_pubrec(const Frame&, TimePoint, std::optional<Event>&);
  bool on_pubrel(const Frame&, TimePoint, std::optional<Event>&);
  bool on_pubcomp(const Frame&, TimePoint, std::optional<Event>&);
  bool on_filters_answered(const Frame&, TimePoint, std::optional<Event>&);
  bool on_pingresp(const Frame&, TimePoint, std::optional<Event>&);
  bool on_disconnect(const Frame&, TimePoint, std::optional<Event>&);
  bool on_auth(const Frame&, TimePoint, std::optional<Event>&);
  // Reading a packet. False: it violates the protocol, and the connection is closed.
  template<class Form>
  bool read(const Frame& frame, TimePoint now, Form& packet);
  bool read_with(FieldReader fields, const Frame& frame, TimePoint now, void* packet);
  bool accept(Violation violation, TimePoint now);
  Violation resolve_alias(Publish& packet);
  bool admit(const Publish& packet, TimePoint now, bool& deliver);
  void violated(Violation violation, TimePoint now);
  void negotiate(const Connack& connack);
  bool acknowledge(AckHandle handle, ReasonCode reason, TimePoint now);
  bool note_acknowledged(AckHandle handle, ReasonCode reason, TimePoint now);
  void settle_automatic_ack(TimePoint now);
  void settle_inbound_on_loss();
  std::optional<Event> complete(Slot& slot, ReasonCode reason, PropertyView properties);
  void begin_release(Slot& slot, TimePoint now);
  void stage_owed_acks(TimePoint now);

  // --- session_publish.cpp
  Outcome<Token> publish(const PublishRequest& request, TimePoint now);
  [[nodiscard]] std::optional<SessionError> refuse_publish(const PublishRequest& request,
                                                           std::size_t body) const;
  Outcome<Token> publish_now(Publish packet, std::size_t body, TimePoint now);
  Outcome<Token> enqueue(const PublishRequest& request, const Publish& packet, std::size_t body,
                         TimePoint now);
  [[nodiscard]] SlotId take_slot_and_room(std::size_t chain_bytes);
  TopicAliases::Choice choose_alias(Publish& packet, std::span<std::uint8_t, 3> property) const;
  Outcome<Token> subscribe(std::span<const Subscription> filters, PropertyView properties, TimePoint now);
  Outcome<Token> unsubscribe(std::span<const std::string_view> filters, PropertyView properties,
                             TimePoint now);
  Outcome<Token> request(std::uint16_t& packet_id, const Encodable& packet, std::size_t filters,
                         TimePoint now);
  [[nodiscard]] std::optional<SessionError> refuse_filter(std::string_view filter) const;
  bool cancel(Token token);
  bool drop_oldest_qos0();
  void pump(TimePoint now);
  bool stage_publish(Slot& slot, TimePoint now);
  bool stage_body(Slot& slot, TimePoint now);
  bool stage_record(Slot& slot, TimePoint now);
  bool stage_with_alias(Slot& slot, Publish packet, TimePoint now);
  bool stage_packet(Slot& slot, const Publish& packet, bool lend, TimePoint now);
  void staged(Slot& slot, TimePoint now);
  void stage_releases(TimePoint now);
  bool stage_ack(PacketType type, std::uint16_t packet_id, ReasonCode reason, TimePoint now);
  bool stage(const Encodable& packet, TimePoint now);
  bool stage(const Encodable& packet, std::size_t body, TimePoint now);
  void appended(TimePoint now, bool urgent = true);
  [[nodiscard]] bool room_beside_control(std::size_t bytes) const;
  [[nodiscard]] std::uint16_t window() const;
  [[nodiscard]] std::optional<Failure> unacceptable(QoS qos, bool retain, std::size_t packet_bytes) const;

  // --- Slots: session_publish.cpp
  SlotList& list_of(const Slot& slot);
  void release_slot(Slot& slot);                 // gives everything back
  void report(Slot& slot);                       // Published with success is due
  void report_failure(Slot& slot, Failure why);  // Failed is due
  void to_reports(Slot& slot);
  void uncount(Slot& slot);
  static void unstage(Slot& slot);

  // --- session_time.cpp
  void sent(std::size_t bytes, TimePoint now);
  void tick(TimePoint now);
  struct Deadline {
    TimePoint at = kNever;
    enum class Due : std::uint8_t { nothing, ping, response, stalled } due = Due::nothing;
  };
  [[nodiscard]] Deadline deadline() const;
  [[nodiscard]] TimePoint ping_due() const;
  [[nodiscard]] TimePoint answer_due() const;
  void pause_input(bool pause, TimePoint now);

  // --- session_restore.cpp
  Outcome<void> restore();
  bool restore_record(RecordKey key, Bytes value);
  bool keep_publish(const Slot& slot, const Publish& packet);
  bool keep_release(SlotId id, std::uint64_t release_order);
  bool keep_inbound(std::uint16_t packet_id);
  bool forget(RecordKey key);  // false: it stays, and the connection is closed
  void store_failed(TimePoint now);
  static bool read_record(Bytes record, Publish& packet, std::uint64_t& order, bool& releasing);
  void session_lost();

  // --- What it is made of
  const SessionLimits limits;
  const SessionConfig config;
  Persistence* const persistence;
  const Wire wire_out{config.version, Flow::to_server};
  const Wire wire_in{config.version, Flow::to_client};

  OutQueue out;
  BlockStore store;
  SlotTable slots;
  SlotList publishes{1};    // QoS 1 and 2, and QoS 0 that waits, in order of publish()
  SlotList releases{2};     // QoS 2 past PUBREC, in order of PUBREC
  SlotList departures{3};   // QoS 0 with a lent payload in the out queue
  SlotList requests{4};     // SUBSCRIBE and UNSUBSCRIBE
  SlotList reports{5};      // over, event due
  SlotId next_publish = 0;  // the first of `publishes` not staged on this connection
  SlotId next_release = 0;  // the same of `releases`
  std::uint16_t window_used = 0;
  std::uint64_t order = 0;       // of the latest publish() or PUBREC
  std::uint64_t urgent_end = 0;  // position in `out` behind the last packet that is no mere answer

  Framer framer;
  Inbound inbound;
  TopicAliases aliases_in;
  TopicAliases aliases_out;
  std::uint16_t receive_quota_used = 0;
  AckHandle automatic_ack;  // due at the next poll()
  AckHandle arriving;       // of a message whose payload is not complete
  std::uint32_t body_offset = 0;
  std::size_t unread = 0;        // bytes of input that poll() left to its caller
  bool inside_message = false;   // a message is being delivered in pieces
  bool discarding_body = false;  // a duplicate is not delivered in pieces

  Phase phase = Phase::offline;
  bool pipelining = false;
  bool has_session = false;  // there is state the server may have the other half of
  bool clean_start = true;
  bool adopt_session = false;
  std::uint32_t method_crc = 0;  // of the authentication method
  bool authenticating = false;   // an authentication method was given in CONNECT
  bool answer_allowed = false;   // the server asked to continue authentication
  std::uint32_t connection = 0;  // counts connect()
  std::uint32_t maximum_inbound_bytes = 0;
  Negotiated negotiated;

  bool aborted_due = false;
  std::optional<event::SessionLost> lost_due;
  std::optional<event::Closed> closed_due;

  TimePoint connect_started = kNever;
  TimePoint last_received = kNever;
  TimePoint last_sent = kNever;
  TimePoint unanswered_since = kNever;       // first thing sent after the last thing received
  TimePoint stall_since = kNever;            // the out queue has not moved since
  TimePoint clock_floor = TimePoint::min();  // response times start here at the earliest
  TimePoint ping_sent_at = kNever;
  std::uint64_t ping_end = 0;
  bool ping_wanted = false;
  bool ping_outstanding = false;
  bool paused = false;   // by the application
  bool blocked = false;  // the receive window is full
};

}  // namespace mqboard::mqtt
