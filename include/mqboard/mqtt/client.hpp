// An MQTT client that keeps itself connected: a Boost.Asio coroutine interface to MQTT 3.1.1 and 5.0.
//
//   asio::io_context io;
//   mqtt::Options options;
//   options.add_url("mqtts://broker.example").value();
//   mqtt::Client client(io.get_executor(), options);
//   ...in a coroutine on io:
//   if (auto up = co_await client.connect(); !up) co_return report(up.error().message());
//   co_await client.subscribe("greetings/#", QoS::at_least_once);
//   co_await client.publish("greetings/world", "hello", {.qos = QoS::at_least_once});
//   while (auto message = co_await client.receive()) std::cout << message->text() << '\n';
//
// Threads. A Client lives on its executor, which must not run its handlers concurrently: an io_context run by
// one thread, or a strand. Construct, call and destroy it from there only; handlers are called there and
// coroutines resume there. Different clients are independent.
//
// Lifetime. Views passed to an operation are borrowed until its awaitable completes. Destroying the client
// closes the connection at once without DISCONNECT (so that the broker sends the will); everything still
// waiting completes with Errc::cancelled. Destroying it from within one of its own handlers is allowed.
//
// Delivery. A publish at QoS 1 or 2 that was accepted is sent until it is acknowledged: after a reconnect
// everything unacknowledged, PUBREL included, is sent again in its original order with its original packet id
// [MQTT-4.4.0-1], and nothing overtakes it. If the broker has lost the session (session_present false,
// reported as SessionLost), unacknowledged publishes are sent again as new ones: at QoS 2 this may double a
// message which the lost session had already passed on. A QoS 0 message is written once; it is lost with the
// connection.
//
// Cancellation and timeouts end the waiting, not the protocol: a QoS 1 publish already accepted still
// completes silently. The client stays usable.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <mqboard/mqtt/error.hpp>
#include <mqboard/mqtt/message.hpp>
#include <mqboard/mqtt/options.hpp>
#include <mqboard/mqtt/properties.hpp>
#include <mqboard/mqtt/reason_code.hpp>
#include <mqboard/mqtt/types.hpp>

namespace mqboard::mqtt {

namespace asio = boost::asio;

class TimeSource;

// How to publish one message.
struct PublishOptions {
  QoS qos = QoS::at_most_once;
  bool retain = false;
  // true: complete when the message is done (QoS 0: given to the connection, QoS 1: PUBACK, QoS 2: PUBCOMP).
  // false: complete when it is accepted, which waits only for room in the window: streaming.
  bool sync = true;
  std::chrono::milliseconds timeout{0};  // 0: none
  PropertyView properties{};             // 5.0; borrowed like topic and payload
};

struct SubscribeOptions {
  bool sync = true;                      // false: complete when the request is queued
  std::chrono::milliseconds timeout{0};  // 0: none
  PropertyView properties{};             // 5.0; borrowed
};

// What happened to the connection, as handed to Client::on_event.
struct Connected {
  bool session_present = false;
  std::string endpoint;       // as Endpoint::name()
  std::string client_id;      // ours, or the one the broker assigned
  bool tls_resumed = false;   // TLS took up an earlier session instead of a full handshake
  std::uint32_t attempt = 1;  // how many tries this connection took
};

// An attempt to connect failed.
struct ConnectFailed {
  Error error;
  bool will_retry = false;
};

struct Disconnected {
  Error error;  // why; Errc::cancelled after disconnect()
  bool will_reconnect = false;
};

// A connection began without the session we held: the broker forgot our subscriptions, what it had queued for
// us and which QoS 2 messages were on their way. Subscriptions are renewed if Options::resubscribe.
struct SessionLost {
  std::size_t resent = 0;  // unacknowledged publishes that are sent again as new
};

// Nothing came back in time, or an attempt to connect failed below MQTT: whoever manages the link (Wifi,
// modem) may want to look at it. See Client::link_up.
struct LinkSuspect {
  Error error;
};

using ConnectionEvent = std::variant<Connected, ConnectFailed, Disconnected, SessionLost, LinkSuspect>;

// Counted since construction; for health pages and tests.
struct Statistics {
  std::uint64_t connections = 0;
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  std::uint64_t writes = 0, reads = 0;  // system calls that moved bytes (for WebSocket: stream operations)
  std::uint64_t messages_published = 0, messages_received = 0, messages_dropped = 0;
};

class Client {
 public:
  Client(asio::any_io_executor executor, Options options);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // --- Connection

  // Starts connecting and keeps the connection up, retrying for ever, until disconnect() or destruction.
  // Returns at once; progress arrives at on_event. Does nothing when already started.
  void start();

  // Connects and then keeps the connection up as start() does; completes with the first CONNACK. When no
  // endpoint can be reached, or one refuses us, it fails with the first endpoint's error and the client is
  // idle again. After start() it just waits until the client is connected.
  asio::awaitable<Result<Connected>> connect();

  // Writes what is queued, says DISCONNECT (so the will is not sent) and closes. Operations still waiting
  // complete with Errc::cancelled. Unacknowledged messages stay with the session: a later start() or
  // connect() resumes it. Takes at most response_time, then closes regardless.
  asio::awaitable<void> disconnect();

  [[nodiscard]] bool connected() const;

  // --- Publishing

  // Publishes one message. While offline it waits, fails or displaces another as Options::queue_policy says.
  // Errors: invalid_argument (topic empty, with wildcards, not UTF-8, too long), too_large, queue_full,
  // not_connected, timeout, cancelled, session_lost, rejected (5.0). The reason code is success, or
  // no_matching_subscribers (5.0).
  asio::awaitable<Result<ReasonCode>> publish(std::string_view topic, Payload payload,
                                              PublishOptions options = {});

  // As publish with sync=false, but fails with Errc::queue_full where that would wait. Allocates nothing,
  // error included. This is the fastest way out: everything accepted within one turn of the executor leaves
  // in one write.
  Result<void> try_publish(std::string_view topic, Payload payload, PublishOptions options = {});

  // Waits until every publish accepted so far is done: the counterpart to streaming with sync=false.
  asio::awaitable<Result<void>> flush(std::chrono::milliseconds timeout = std::chrono::milliseconds{0});

  // 5.0: goes through the authentication dialogue again, as Options::authentication says, while messages flow
  // (section 4.12.1). One at a time. Errors: invalid_argument (no method), not_connected, timeout, cancelled;
  // a refusal ends the connection and is its error.
  asio::awaitable<Result<void>> reauthenticate(std::chrono::milliseconds timeout = std::chrono::milliseconds{
                                                   0});

  // --- Subscribing

  // Subscribes to one filter; completes with the QoS the broker granted, or fails with Errc::rejected.
  asio::awaitable<Result<QoS>> subscribe(std::string_view filter, QoS qos = QoS::at_most_once,
                                         SubscribeOptions options = {});

  // Subscribes to several filters in one packet; completes with one reason code each, in order: check them.
  asio::awaitable<Result<std::vector<ReasonCode>>> subscribe(std::vector<Subscription> subscriptions,
                                                             SubscribeOptions options = {});

  asio::awaitable<Result<void>> unsubscribe(std::string_view filter, SubscribeOptions options = {});

  // --- Receiving. Install the handler or call receive(), not both; with neither, messages wait as for
  // receive().

  // Calls the handler for each message as it is parsed, without copying it. QoS 1 and 2 messages are
  // acknowledged when the handler returns (unless Options::manual_acknowledge). The handler may call any
  // non-coroutine member.
  void on_message(std::function<void(const MessageView&)> handler);

  // The next message, in order of arrival; acknowledged by this (unless manual_acknowledge). One call at a
  // time. What arrives between calls waits in a queue of Options::receive_queue_size bytes; when that is full
  // the client stops reading the socket, and with it acknowledgements of its own publishes, until a message
  // is taken. Fails with Errc::cancelled only: messages keep coming after a reconnect.
  asio::awaitable<Result<MessageView>> receive();

  // Acknowledges a message under manual_acknowledge. Acknowledgements leave in the order of arrival
  // [MQTT-4.6.0-2]: one given early waits for those before it.
  void acknowledge(AckToken token);

  // --- Watching the connection

  void on_event(std::function<void(const ConnectionEvent&)> handler);

  // For whoever manages the link below: it is (back) up, so connect now instead of when the back-off ends; or
  // it is down, so do not try until link_up().
  void link_up();
  void link_down();

  [[nodiscard]] const Statistics& statistics() const;

  // The newest TLS session ticket, for TlsOptions::ticket of a later process; empty when there is none.
  [[nodiscard]] std::vector<std::uint8_t> tls_ticket() const;

 private:
  // For tests: a client whose time is another than the machine's.
  friend Client make_client(asio::any_io_executor, Options, std::shared_ptr<TimeSource>);
  class Impl;
  explicit Client(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace mqboard::mqtt
