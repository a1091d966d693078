// Words for the session's enumerations, and comparison of the events that hold spans.
#include <algorithm>
#include <iterator>
#include <span>

#include "core/mqtt/session_types.hpp"

namespace mqboard::mqtt {
namespace {

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::string_view word(std::span<const char* const> words, std::size_t index) {
  return index < words.size() ? words[index] : "";
}

}  // namespace

std::string_view describe(SessionError error) {
  static constexpr const char* kWords[] = {
      "not connected",                        // not_connected
      "already connected",                    // already_connected
      "no room",                              // no_room
      "too large",                            // too_large
      "topic or filter invalid",              // topic_invalid
      "properties invalid",                   // properties_invalid
      "arguments invalid",                    // arguments_invalid
      "not supported by the server",          // not_supported
      "persistence failed",                   // persistence_failed
      "stored session damaged or too large",  // restore_failed
  };
  static_assert(std::size(kWords) == static_cast<std::size_t>(SessionError::restore_failed) + 1);
  return word(kWords, static_cast<std::size_t>(error));
}

std::string_view describe(Failure failure) {
  static constexpr const char* kWords[] = {
      "connection lost",                 // connection_lost
      "session lost",                    // session_lost
      "dropped from the queue",          // dropped
      "larger than the server accepts",  // packet_too_large
      "not supported by the server",     // not_supported
  };
  static_assert(std::size(kWords) == static_cast<std::size_t>(Failure::not_supported) + 1);
  return word(kWords, static_cast<std::size_t>(failure));
}

std::string_view describe(CloseCause cause) {
  static constexpr const char* kWords[] = {
      "connection refused",                   // refused
      "disconnected",                         // client
      "disconnected by the server",           // server
      "protocol violation by the server",     // violation
      "response missing",                     // response_timeout
      "transport stalled",                    // stalled
      "server has a session we do not know",  // session_mismatch
      "persistence failed",                   // persistence_failed
  };
  static_assert(std::size(kWords) == static_cast<std::size_t>(CloseCause::persistence_failed) + 1);
  return word(kWords, static_cast<std::size_t>(cause));
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
