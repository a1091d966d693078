// An MQTT client session (3.1.1 and 5.0): the protocol without a socket, a clock or a heap.
//
// Bytes and time go in, events and bytes come out. One Session lives as long as the MQTT session does, across
// any number of transports:
//
//   Session session{limits, config, memory, persistence};
//   session.restore();                                   // only with a Persistence
//   loop: open a transport; session.connect(options, now);
//         whenever bytes arrive:   while (auto event = session.poll(input, now)) handle(*event);
//         whenever it can be written: n = session.outgoing(list); commit persistence; write; session.sent(k,
//         now) at next_deadline():      session.tick(now); then poll() for events on event::Closed or when
//         the transport broke: close it; session.transport_lost(now); poll() for events
//
// After *every* call (publish, sent, tick, ...) there may be events for poll() (with empty input) and bytes
// for outgoing().
//
// Order. Publishes reach the server in the order of publish(), whatever their QoS; none overtakes a queued or
// resent one. Acknowledgements and pings go between them at the next packet boundary; SUBSCRIBE and
// UNSUBSCRIBE overtake publishes that wait for the send window, and nothing else. Publishes that had to wait
// for a connection are encoded with the first poll() after connect() (when pipelining) or after
// event::Connected: what subscribe() is asked for in between goes first, so that answers find their
// subscription.
//
// Reliability (section 4.4 of both versions). After a resumed session every unacknowledged PUBREL, then every
// unacknowledged PUBLISH is sent again, in original order, with its packet identifier and DUP. On one
// connection nothing is ever sent twice: an acknowledgement missing for response_time closes the connection.
//
// Persistence. Records are put before the bytes that depend on them are in outgoing(). An inbound QoS 2
// message is recorded when it is acknowledged: a crash between the application's use of the message and the
// next commit delivers it again, a crash before loses nothing. To make it exactly once across crashes,
// acknowledge manually and commit the application's own effect together with the store.
//
// Memory. Everything is carved out of `memory` at construction, nothing is allocated afterwards. A packet's
// lent payload goes from the application's memory straight into the gather list.
//
// Threads. None: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/mqtt/persistence.hpp"
#include "core/mqtt/session_types.hpp"

namespace mqboard::mqtt {

class Session {
 public:
  template<class Value>
  using Outcome = mqboard::Result<Value, SessionError>;

  // Bytes of memory a session with these limits needs, aligned as std::max_align_t.
  [[nodiscard]] static std::size_t memory_bytes(const SessionLimits& limits);

  // `memory` holds at least memory_bytes(limits); it and `persistence` (may be null) outlive the session.
  // The persistence must be empty, or restore() called first.
  Session(const SessionLimits& limits, const SessionConfig& config, std::span<std::byte> memory,
          Persistence* persistence = nullptr);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Takes over what an earlier process left in the persistence. Call once, before anything else. Tokens of
  // restored publishes come up in their completion events.
  Outcome<void> restore();

  // --- Connection -----------------------------------------------------------------------------------------

  // A transport is open: queues CONNECT. With clean_start outstanding publishes are treated as
  // SessionLostPolicy says, at once.
  Outcome<void> connect(const ConnectOptions& options, TimePoint now);

  // The transport is gone and nothing handed out by outgoing() is in use any more. Outstanding subscribes and
  // unsubscribes fail, publishes of QoS 1 and 2 stay. Harmless without a transport.
  void transport_lost(TimePoint now);

  // Queues DISCONNECT behind what is already encoded; event::Closed follows when it has been sent. Publishes
  // still waiting for the window stay in the session. `properties`: session expiry interval, reason string
  // ...
  Outcome<void> disconnect(ReasonCode reason, PropertyView properties, TimePoint now);

  // 5.0: answers event::Auth (continue_authentication), or starts a re-authentication (reauthenticate).
  // `properties` must name the authentication method used in CONNECT [MQTT-4.12.0-5].
  Outcome<void> authenticate(ReasonCode reason, PropertyView properties, TimePoint now);

  // --- Operations -----------------------------------------------------------------------------------------

  // Accepts a message for delivery. Returns the token its event::Published or event::Failed will carry, or
  // the completed token when a QoS 0 message went straight into the out bytes. QoS 1 and 2 are accepted
  // without a connection too; QoS 0 as OfflineQos0 says.
  Outcome<Token> publish(const PublishRequest& request, TimePoint now);

  // Immediate or refused: needs a connection (or pipelining) and room. Not resent on a later connection.
  Outcome<Token> subscribe(std::span<const Subscription> filters, PropertyView properties, TimePoint now);
  Outcome<Token> unsubscribe(std::span<const std::string_view> filters, PropertyView properties,
                             TimePoint now);

  // Takes back a publish of which no byte has been handed out on any connection: true, no event follows and a
  // lent payload is free. Otherwise false: the operation goes on, ignore its event.
  bool cancel(Token token);

  // AckMode::manual: the application is done with a message. `reason` (5.0) may refuse it. Acknowledgements
  // go out in the order the messages came in [MQTT-4.6.0-2], so one may wait for an earlier one. False:
  // unknown handle, or from an earlier connection, or a reason that PUBACK or PUBREC cannot carry.
  bool acknowledge(AckHandle handle, ReasonCode reason, TimePoint now);

  // --- Input and events -----------------------------------------------------------------------------------

  // The next event, taking what it needs off the front of `input`; nothing when all input is consumed, or
  // while it has to wait (for acknowledge() with a full receive window on 3.1.1, or for sent(): call again
  // with the rest after those), or after event::Closed. What the event borrows is valid until the next call
  // of any member function. Stop calling and the rest of the input stays yours: back pressure.
  std::optional<Event> poll(Bytes& input, TimePoint now);

  // The application does not read for a while: the caller stops polling although input may be waiting.
  // Meanwhile no missing response ends the connection, since it may be among that input; afterwards the
  // response times start again. The receive window being full (3.1.1) has the same effect by itself.
  void pause_input(bool paused, TimePoint now);

  // --- Output ---------------------------------------------------------------------------------------------

  // Fills `list` with the next bytes for the transport and returns how many entries are used; 0: nothing to
  // send. The bytes stay valid and unchanged until sent() or transport_lost(). Write at once or in part.
  [[nodiscard]] std::size_t outgoing(std::span<Bytes> list) const;

  // How many bytes wait to be sent, if all of them acknowledge what the server sent: nobody here waits for
  // these, so they may wait a little for more of their kind. 0 when there is anything else.
  [[nodiscard]] std::size_t deferrable_bytes() const;

  // How many QoS 2 messages were taken over and wait for their PUBREL.
  [[nodiscard]] std::size_t unreleased() const;

  // The transport took the first `bytes` of what outgoing() offered.
  void sent(std::size_t bytes, TimePoint now);

  // --- Time -----------------------------------------------------------------------------------------------

  // When tick() must be called at the latest; kNever while there is nothing to wait for.
  [[nodiscard]] TimePoint next_deadline() const;
  void tick(TimePoint now);

  // --- State ----------------------------------------------------------------------------------------------

  [[nodiscard]] bool connected() const;                // between CONNACK and the end of the connection
  [[nodiscard]] const Negotiated& negotiated() const;  // of this connection, else of the last one
  [[nodiscard]] std::size_t outstanding() const;       // operations with an event to come
  [[nodiscard]] std::size_t free_slots() const;        // of SessionLimits::outgoing_messages
  [[nodiscard]] std::size_t free_store_bytes() const;
  [[nodiscard]] bool has_outgoing() const;

  // Rechecks every invariant of the parts; for tests and debug builds.
  [[nodiscard]] bool invariants_hold() const;

 private:
  struct Parts;
  Parts* parts_;  // lives in `memory`
};

// A Session together with its memory, for those with a heap.
class OwnedSession {
 public:
  explicit OwnedSession(const SessionLimits& limits = {}, const SessionConfig& config = {},
                        Persistence* persistence = nullptr)
      : memory_(std::make_unique_for_overwrite<std::byte[]>(Session::memory_bytes(limits))),
        session_(limits, config, {memory_.get(), Session::memory_bytes(limits)}, persistence) {}

  Session& operator*() { return session_; }
  Session* operator->() { return &session_; }
  const Session* operator->() const { return &session_; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  Session session_;
};

}  // namespace mqboard::mqtt
