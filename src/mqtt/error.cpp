#include <mqboard/mqtt/error.hpp>

namespace mqboard::mqtt {
namespace {

std::string text_of(Errc errc) {
  switch (errc) {
    case Errc::bad_url:
      return "malformed broker URL";
    case Errc::bad_option:
      return "bad option";
    case Errc::bad_ca_file:
      return "CA certificates cannot be read";
    case Errc::bad_certificate_file:
      return "client certificate cannot be read";
    case Errc::bad_key_file:
      return "client key cannot be used";
    case Errc::resolve_failed:
      return "host name cannot be resolved";
    case Errc::connection_refused:
      return "connection refused";
    case Errc::unreachable:
      return "broker unreachable";
    case Errc::connect_timeout:
      return "connecting timed out";
    case Errc::tls_failed:
      return "TLS handshake failed";
    case Errc::certificate_untrusted:
      return "certificate not trusted";
    case Errc::host_name_mismatch:
      return "certificate is for another host name";
    case Errc::websocket_refused:
      return "server refused the WebSocket upgrade";
    case Errc::bad_protocol_version:
      return "broker does not speak this MQTT version";
    case Errc::client_id_rejected:
      return "broker rejected the client id";
    case Errc::server_unavailable:
      return "broker unavailable";
    case Errc::bad_user_name_or_password:
      return "bad user name or password";
    case Errc::not_authorized:
      return "not authorized";
    case Errc::banned:
      return "banned by the broker";
    case Errc::server_moved:
      return "broker sends us to another server";
    case Errc::connect_rejected:
      return "broker rejected the connection";
    case Errc::connection_closed:
      return "broker closed the connection";
    case Errc::connection_reset:
      return "connection lost";
    case Errc::response_timeout:
      return "broker does not answer";
    case Errc::protocol_error:
      return "broker violated the protocol";
    case Errc::session_taken_over:
      return "another client took over the session (same client id)";
    case Errc::server_shutting_down:
      return "broker is shutting down";
    case Errc::disconnected_by_server:
      return "broker ended the connection";
    case Errc::not_connected:
      return "not connected";
    case Errc::timeout:
      return "timed out";
    case Errc::cancelled:
      return "cancelled";
    case Errc::invalid_argument:
      return "invalid topic, filter or property";
    case Errc::too_large:
      return "message too large";
    case Errc::queue_full:
      return "send queue full";
    case Errc::rejected:
      return "rejected by the broker";
    case Errc::session_lost:
      return "session lost before the broker answered";
    case Errc::storage_failed:
      return "session storage failed";
  }
  return "unknown error";
}

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "mqboard.mqtt"; }
  [[nodiscard]] std::string message(int value) const override { return text_of(static_cast<Errc>(value)); }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

}  // namespace mqboard::mqtt
