// Errors of the MQTT client.
//
// Every operation that can fail returns Result<T>: the value, or an Error made of a code to decide by and a
// line of text to show. The library throws nothing of its own.
#pragma once

#include <expected>
#include <string>
#include <system_error>

namespace mqboard::mqtt {

// What went wrong, in the order in which a connection lives: reaching the broker, being let in, staying,
// working.
enum class Errc {
  // Configuration.
  bad_url = 1,  // not one of mqtt:// mqtts:// ws:// wss:// unix://, or malformed
  bad_option,   // options contradict each other or lack something (no endpoint, client id too long, ...)
  bad_ca_file,  // CA file or folder missing, unreadable or without a certificate
  bad_certificate_file,  // client certificate missing, unreadable or malformed
  bad_key_file,          // client key missing, wrong pass phrase, or not the certificate's key

  // Reaching the broker.
  resolve_failed,         // the host name has no address
  connection_refused,     // nobody listens at host:port (or at the Unix socket)
  unreachable,            // no route, network down, or any other failure of connect(2)
  connect_timeout,        // not connected, secured and accepted within Options::connect_timeout
  tls_failed,             // the TLS handshake failed for a reason other than the two below
  certificate_untrusted,  // no chain to a trusted CA, expired, revoked, ...: the detail carries OpenSSL's
                          // reason
  host_name_mismatch,     // a good certificate, for another host name
  websocket_refused,      // the server does not upgrade this path to MQTT over WebSocket

  // Being let in: the CONNACK [MQTT-3.2.2].
  bad_protocol_version,  // the broker does not speak Options::version
  client_id_rejected,
  server_unavailable,
  bad_user_name_or_password,
  not_authorized,
  banned,
  server_moved,      // use another server; 5.0 names it in the detail
  connect_rejected,  // any other refusal; the detail names the reason code

  // Staying.
  connection_closed,   // the broker closed the connection without saying why
  connection_reset,    // the network or the broker tore it down
  response_timeout,    // an acknowledgement or PINGRESP is missing for Options::response_time
  protocol_error,      // the broker sent something no broker may send
  session_taken_over,  // another client connected with the same client id
  server_shutting_down,
  disconnected_by_server,  // any other reason in the broker's DISCONNECT; the detail names it

  // Working.
  not_connected,     // and the operation does not wait for a connection
  timeout,           // the operation's own timeout
  cancelled,         // by asio cancellation, by disconnect() or because the client was destroyed
  invalid_argument,  // malformed topic, filter, or property
  too_large,         // larger than this broker or this client's configuration ever accepts
  queue_full,        // the window or the offline queue has no room now
  rejected,          // the broker answered this publish or subscription with a failure reason code
  session_lost,      // the session ended before the operation did; it is not known whether the broker saw it
  storage_failed,    // the session could not be read from or written to its file
};

const std::error_category& error_category() noexcept;

inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

// An error ready to be decided on and to be shown.
struct Error {
  std::error_code code;  // in error_category(); compare with Errc
  std::string detail;    // names the thing: "broker.example:8883: certificate not trusted: ..."; may be empty

  Error() = default;
  Error(Errc errc, std::string text = {}) : code(make_error_code(errc)), detail(std::move(text)) {}

  // One line for people: the detail, or where there is none the text of the code.
  [[nodiscard]] std::string message() const { return detail.empty() ? code.message() : detail; }

  friend bool operator==(const Error& error, Errc errc) { return error.code == make_error_code(errc); }
};

template<class Value, class E = Error>
using Result = std::expected<Value, E>;

}  // namespace mqboard::mqtt

template<>
struct std::is_error_code_enum<mqboard::mqtt::Errc> : std::true_type {};
