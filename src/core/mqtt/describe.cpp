// Words for the session's enumerations, and comparison of the events that hold spans.
#include <algorithm>

#include "core/mqtt/session_types.hpp"

namespace mqboard::mqtt {
namespace {

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace

std::string_view describe(SessionError error) {
  switch (error) {
    case SessionError::not_connected:
      return "not connected";
    case SessionError::already_connected:
      return "already connected";
    case SessionError::no_room:
      return "no room";
    case SessionError::too_large:
      return "too large";
    case SessionError::topic_invalid:
      return "topic or filter invalid";
    case SessionError::properties_invalid:
      return "properties invalid";
    case SessionError::arguments_invalid:
      return "arguments invalid";
    case SessionError::not_supported:
      return "not supported by the server";
    case SessionError::persistence_failed:
      return "persistence failed";
    case SessionError::restore_failed:
      return "stored session damaged or too large";
  }
  return "";
}

std::string_view describe(Failure failure) {
  switch (failure) {
    case Failure::connection_lost:
      return "connection lost";
    case Failure::session_lost:
      return "session lost";
    case Failure::dropped:
      return "dropped from the queue";
    case Failure::packet_too_large:
      return "larger than the server accepts";
    case Failure::not_supported:
      return "not supported by the server";
  }
  return "";
}

std::string_view describe(CloseCause cause) {
  switch (cause) {
    case CloseCause::refused:
      return "connection refused";
    case CloseCause::client:
      return "disconnected";
    case CloseCause::server:
      return "disconnected by the server";
    case CloseCause::violation:
      return "protocol violation by the server";
    case CloseCause::response_timeout:
      return "response missing";
    case CloseCause::stalled:
      return "transport stalled";
    case CloseCause::session_mismatch:
      return "server has a session we do not know";
    case CloseCause::persistence_failed:
      return "persistence failed";
  }
  return "";
}

bool WillView::operator==(const WillView& other) const {
  return topic == other.topic && same(payload, other.payload) && qos == other.qos && retain == other.retain &&
         properties == other.properties;
}

namespace event {

bool Message::operator==(const Message& other) const {
  return topic == other.topic && same(payload, other.payload) && payload_bytes == other.payload_bytes &&
         qos == other.qos && retain == other.retain && dup == other.dup && ack == other.ack &&
         properties == other.properties;
}

bool MessageBody::operator==(const MessageBody& other) const {
  return same(payload, other.payload) && offset == other.offset && last == other.last;
}

bool Subscribed::operator==(const Subscribed& other) const {
  return token == other.token && same(reason_codes, other.reason_codes) && properties == other.properties;
}

bool Unsubscribed::operator==(const Unsubscribed& other) const {
  return token == other.token && same(reason_codes, other.reason_codes) && properties == other.properties;
}

}  // namespace event
}  // namespace mqboard::mqtt
