// Configuration of a Client: where the brokers are, who we are, and what the client may use.
//
// Options is a plain value: copy it, compare notes, keep it. Every limit here bounds memory; nothing grows
// with the speed of a peer. Durations of zero mean what the comment beside them says.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mqboard/mqtt/error.hpp>
#include <mqboard/mqtt/properties.hpp>
#include <mqboard/mqtt/types.hpp>

namespace mqboard::mqtt {

// Enhanced authentication (5.0, section 4.12): a dialogue such as SCRAM or Kerberos, in which `answer` speaks
// for us. It is called on the client's executor:
//
//   begin      with nothing, at each connection and re-authentication: returns the first authentication data
//   challenge  with what the server sent in AUTH [MQTT-4.12.0-2]: returns the reply [MQTT-4.12.0-3]
//   success    with the server's final data, when it has let us in: what is returned does not matter, but an
//              error still refuses the server (mutual authentication)
//
// Empty data is sent as no data. An error ends the connection, and is what connect() or reauthenticate()
// fails with. With authentication nothing is pipelined behind CONNECT [MQTT-3.1.2-30].
enum class AuthenticationStep : std::uint8_t { begin, challenge, success };
struct Authentication {
  std::string method;  // the same for the whole connection [MQTT-4.12.0-5]; empty: none
  std::function<Result<std::string>(AuthenticationStep step, std::string_view data)> answer{};
};

// What to do when a broker answers or disconnects with "use another server" or "server moved" and names it
// (5.0, section 4.11).
enum class Redirect : std::uint8_t {
  report,  // nothing but Errc::server_moved, whose detail names the server
  follow   // connect to the first server named, with the same scheme, options and credentials; after "server
           // moved" it takes the place of the endpoint that sent us there, else it is used for one connection
};

enum class Scheme : std::uint8_t { tcp, tls, websocket, secure_websocket, unix_socket };

// Where one broker listens.
struct Endpoint {
  Scheme scheme = Scheme::tcp;
  std::string host;         // name or numeric address; for a Unix socket its path
  std::uint16_t port = 0;   // 0: 1883 tcp, 8883 tls, 80 websocket, 443 secure websocket
  std::string target = {};  // WebSocket only: path and query; empty means "/mqtt"

  // mqtt://host[:port], mqtts://, ws://host[:port][/target], wss://, unix:///path/to/socket. IPv6 addresses
  // stand in brackets. `tcp://`, `tls://` and `ssl://` are accepted as other tools' names. User information
  // is not part of an endpoint and is refused here: see Options::add_url.
  [[nodiscard]] static Result<Endpoint> parse(std::string_view url);

  [[nodiscard]] std::uint16_t effective_port() const;
  [[nodiscard]] bool secure() const { return scheme == Scheme::tls || scheme == Scheme::secure_websocket; }
  [[nodiscard]] bool websocket() const {
    return scheme == Scheme::websocket || scheme == Scheme::secure_websocket;
  }
  // "host:port" or the socket's path: how errors name this endpoint.
  [[nodiscard]] std::string name() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// What is known of the time.
struct CertificateTime {
  std::chrono::sys_seconds now;
  bool known = true;  // false: it is `now` or later
};

// TLS as every secure endpoint uses it. With neither ca_file nor ca_path the system's trust store is used.
struct TlsOptions {
  std::string ca_file;           // PEM file of trusted CAs
  std::string ca_path;           // folder of trusted CAs hashed by c_rehash
  std::string certificate_file;  // our certificate chain, PEM, leaf first
  std::string key_file;          // its key, PEM; empty: in certificate_file
  std::string key_password;      // of an encrypted key

  bool verify = true;          // false: accept any certificate of any host. For experiments only.
  std::string server_name;     // the name to verify and to send as SNI; empty: the endpoint's host
  bool require_tls13 = false;  // otherwise TLS 1.2 is the minimum

  // The time to judge certificates by, asked for on the client's executor at each handshake; empty: the
  // system's clock. For machines that start without knowing the time and could never connect: while it is not
  // known, certificates and revocation lists count although they begin later, and those that ended before are
  // refused as ever (RFC 5280, section 6.1.3).
  std::function<CertificateTime()> certificate_time;

  // Pre-shared key instead of certificates; both or neither.
  std::string psk_identity;
  std::vector<std::uint8_t> psk;

  // Session resumption. The client resumes sessions between its own reconnects anyway; a ticket carries one
  // over to another process: feed here what Client::tls_ticket() exported. A ticket the server no longer
  // accepts costs nothing but the full handshake. It is as secret as the connection it came from.
  std::vector<std::uint8_t> ticket;
};

// The last will [MQTT-3.1.2-8]: what the broker publishes when this client vanishes without disconnect().
struct Will {
  std::string topic;
  std::string payload;
  QoS qos = QoS::at_most_once;
  bool retain = false;
  Properties properties{};  // 5.0: will delay, message expiry, content type, ...
};

// What an operation does that finds neither a connection nor room in the window.
enum class QueuePolicy : std::uint8_t {
  block,             // wait for room; try_publish fails with Errc::queue_full
  refuse,            // fail with Errc::queue_full (with not_connected while offline and queue_messages is 0)
  drop_oldest_qos0,  // make room by dropping the oldest queued QoS 0 message; if there is none, as refuse
};

struct Options {
  // --- Where. Tried in turn: a failed attempt moves on to the next, the first success stays until it breaks.
  std::vector<Endpoint> endpoints;

  // Appends an endpoint from a URL; user and password in it (percent-encoded) become user_name and password.
  Result<void> add_url(std::string_view url);

  TlsOptions tls;

  // --- Who.
  ProtocolVersion version = ProtocolVersion::v3_1_1;
  std::string client_id;  // empty: the broker (5.0) or this library (3.1.1, clean session only) makes one up
  std::optional<std::string> user_name;
  std::optional<std::string> password;
  std::optional<Will> will;
  Authentication authentication;  // 5.0

  // --- Session.
  // Clean session (3.1.1), clean start (5.0): every connection begins with an empty session on both sides.
  bool clean_session = true;
  // With clean_session false: the first connection of this Client begins with an empty session (wiping what
  // an earlier process left at the broker), later reconnects resume it.
  // On 3.1.1 such a session ends with its connection: the first reconnect finds none (SessionLost).
  bool clean_slate = false;
  // 5.0: how long the broker keeps the session after the connection ends. Unset: 0 when clean_session, else
  // for ever.
  std::optional<std::chrono::seconds> session_expiry;
  // 5.0: further properties of CONNECT, such as user properties. Those with an option of their own here are
  // refused.
  Properties connect_properties;
  // Renew the subscriptions made through this Client whenever a connection begins without their session.
  bool resubscribe = true;
  // Keep unacknowledged messages and inbound QoS 2 state in this file, so that they survive the process. An
  // accepted publish is in it one turn of the executor later, and always before the broker can see it.
  // Empty: memory only. Needs clean_session false and a client_id.
  std::string persistence_file;

  // --- Time.
  std::chrono::seconds keep_alive{60};  // 0: none
  // The longest an acknowledgement or PINGRESP may take. A link that owes one for longer is dropped (and its
  // messages are resent on the next one, never on the same). A half-open link is noticed within 1.5 times
  // this.
  std::chrono::milliseconds response_time{10'000};
  std::chrono::milliseconds connect_timeout{10'000};  // resolve + connect + TLS + CONNACK, per attempt
  // Reconnecting: the first try is immediate; then waits double from min to max, each shortened by a random
  // part of up to `jitter` of itself so that a fleet does not come back in step.
  std::chrono::milliseconds reconnect_min{250};
  std::chrono::milliseconds reconnect_max{30'000};
  double reconnect_jitter = 0.5;
  Redirect redirect = Redirect::report;  // 5.0
  std::uint8_t max_redirects = 3;        // how often in a row before an attempt counts as failed

  // --- Limits.
  std::uint16_t send_window = 100;        // QoS 1 and 2 publishes in flight (the broker may grant fewer)
  std::uint16_t receive_maximum = 100;    // QoS 1 and 2 messages the broker may have in flight to us (5.0)
  std::size_t max_packet_size = 1 << 20;  // largest packet accepted from the broker, bytes
  std::size_t send_buffer_size =
      256 * 1024;  // unacknowledged and unsent messages, bytes. A single message up to
                   // max_packet_size always fits: the buffer is grown once for it.
  std::size_t receive_queue_size =
      64 * 1024;  // messages waiting for receive(), bytes; beyond it the socket stops
  std::size_t offline_messages =
      0;  // how many publishes may wait beyond the window (for a connection, or for room)
  QueuePolicy queue_policy = QueuePolicy::block;
  // Topic aliases (5.0, section 3.3.2.3.4), for topics of up to 256 bytes: how many we use, at most what the
  // broker allows, the least recently used giving way; and how many the broker may use [MQTT-3.3.2-11]. What
  // is resent carries its topic in full. A broker that gives a longer topic an alias is disconnected.
  std::uint16_t topic_aliases = 0;
  std::uint16_t topic_alias_maximum = 0;

  // --- Behaviour.
  // Send what is submitted before the CONNACK right behind the CONNECT, in one flight. Legal [MQTT-3.1.4-5];
  // saves a round trip; meant for short-lived clients. Operations fail together with a refused connection.
  bool pipeline = false;
  // How long small packets in quick succession may wait for each other: acknowledgements in either direction,
  // and messages to a client that only receives. What comes one at a time never waits. Saves both ends of a
  // dense stream most of their system calls. An acknowledgement that waits when the connection breaks is lost
  // with it: a message of QoS 1 then comes again, one of QoS 2 does not. 0: nothing ever waits.
  std::chrono::milliseconds coalesce{2};
  // Messages are acknowledged by Client::acknowledge() instead of by their delivery.
  bool manual_acknowledge = false;
};

}  // namespace mqboard::mqtt
