// MQTT 5.0 properties (section 2.2.2), kept in the form they have on the wire: a run of identifier and value.
//
//   PropertyView     borrowed, read-only: what events carry and what calls accept
//   PropertyWriter   appends to a buffer lent by the caller; never allocates
//   Properties       the owning, growing builder for programs that do not count bytes
//
// A view that came from the library is valid for its packet: identifiers known and allowed there, single ones
// not repeated, text well-formed UTF-8. Views a program hands in are checked before anything is sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <mqboard/mqtt/types.hpp>

namespace mqboard::mqtt {

// Identifiers of section 2.2.2.2; the comment gives the value's type on the wire.
enum class PropertyId : std::uint8_t {
  payload_format_indicator = 0x01,           // byte: 1 = the payload is UTF-8
  message_expiry_interval = 0x02,            // four bytes, seconds
  content_type = 0x03,                       // text
  response_topic = 0x08,                     // text
  correlation_data = 0x09,                   // binary
  subscription_identifier = 0x0B,            // variable byte integer, 1..268435455
  session_expiry_interval = 0x11,            // four bytes, seconds; 0xFFFFFFFF = never
  assigned_client_identifier = 0x12,         // text
  server_keep_alive = 0x13,                  // two bytes, seconds
  authentication_method = 0x15,              // text
  authentication_data = 0x16,                // binary
  request_problem_information = 0x17,        // byte
  will_delay_interval = 0x18,                // four bytes, seconds
  request_response_information = 0x19,       // byte
  response_information = 0x1A,               // text
  server_reference = 0x1C,                   // text
  reason_string = 0x1F,                      // text
  receive_maximum = 0x21,                    // two bytes
  topic_alias_maximum = 0x22,                // two bytes
  topic_alias = 0x23,                        // two bytes; managed by the session, refused from programs
  maximum_qos = 0x24,                        // byte
  retain_available = 0x25,                   // byte
  user_property = 0x26,                      // pair of texts; may repeat, order is kept
  maximum_packet_size = 0x27,                // four bytes
  wildcard_subscription_available = 0x28,    // byte
  subscription_identifier_available = 0x29,  // byte
  shared_subscription_available = 0x2A,      // byte
};

// One property read back. `number` holds byte, integer and variable byte integer values, `bytes` text and
// binary ones, `name` with `bytes` a user property.
struct Property {
  PropertyId id{};
  std::uint32_t number = 0;
  Bytes bytes;
  Bytes name;

  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  [[nodiscard]] std::string_view name_text() const {
    return {reinterpret_cast<const char*>(name.data()), name.size()};
  }
};

class PropertyView {
 public:
  PropertyView() = default;
  explicit PropertyView(Bytes encoded) : encoded_(encoded) {}

  [[nodiscard]] bool empty() const { return encoded_.empty(); }
  [[nodiscard]] Bytes encoded() const { return encoded_; }

  // The first property with this identifier; nothing when absent or of another type.
  [[nodiscard]] std::optional<std::uint32_t> number(PropertyId id) const;
  [[nodiscard]] std::optional<std::string_view> text(PropertyId id) const;
  [[nodiscard]] std::optional<Bytes> binary(PropertyId id) const;
  [[nodiscard]] std::optional<std::string_view> user_property(std::string_view name) const;

  // Walks all properties in order: `for (auto rest = view; auto property = rest.next();)`. Ends at the first
  // one that is malformed.
  std::optional<Property> next();

  // Equal when encoded alike: the same properties in the same order.
  bool operator==(const PropertyView& other) const;

 private:
  Bytes encoded_;
};

// Appends properties to a borrowed buffer. A property that does not fit, or whose value cannot be encoded
// (text beyond 65535 bytes, a value of the wrong type for its identifier), is left out and ok() turns false.
class PropertyWriter {
 public:
  explicit PropertyWriter(std::span<std::uint8_t> buffer) : buffer_(buffer) {}

  PropertyWriter& number(PropertyId id, std::uint32_t value);
  PropertyWriter& text(PropertyId id, std::string_view value);
  PropertyWriter& binary(PropertyId id, Bytes value);
  PropertyWriter& user_property(std::string_view name, std::string_view value);

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] PropertyView view() const { return PropertyView{buffer_.first(used_)}; }

 private:
  PropertyWriter& string(PropertyId id, bool allowed, Bytes value);

  std::span<std::uint8_t> buffer_;
  std::size_t used_ = 0;
  bool ok_ = true;
};

// Owns its bytes and grows as needed: `Properties{}.text(PropertyId::content_type, "text/plain")`.
class Properties {
 public:
  Properties& number(PropertyId id, std::uint32_t value) & {
    return append(8, [&](PropertyWriter& out) { out.number(id, value); });
  }
  Properties& text(PropertyId id, std::string_view value) & {
    return append(3 + value.size(), [&](PropertyWriter& out) { out.text(id, value); });
  }
  Properties& binary(PropertyId id, Bytes value) & {
    return append(3 + value.size(), [&](PropertyWriter& out) { out.binary(id, value); });
  }
  Properties& user_property(std::string_view name, std::string_view value) & {
    return append(5 + name.size() + value.size(),
                  [&](PropertyWriter& out) { out.user_property(name, value); });
  }
  Properties&& number(PropertyId id, std::uint32_t value) && { return std::move(number(id, value)); }
  Properties&& text(PropertyId id, std::string_view value) && { return std::move(text(id, value)); }
  Properties&& binary(PropertyId id, Bytes value) && { return std::move(binary(id, value)); }
  Properties&& user_property(std::string_view name, std::string_view value) && {
    return std::move(user_property(name, value));
  }

  // Adds another block behind this one.
  Properties& append(const Properties& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    ok_ = ok_ && other.ok_;
    return *this;
  }

  // False once a value could not be encoded; the library then refuses the whole block.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] PropertyView view() const { return PropertyView{Bytes{bytes_}}; }
  operator PropertyView() const { return view(); }

 private:
  template<class Append>
  Properties& append(std::size_t room, Append&& add) {
    const std::size_t used = bytes_.size();
    bytes_.resize(used + room);
    PropertyWriter out{std::span{bytes_}.subspan(used)};
    add(out);
    ok_ = ok_ && out.ok();
    bytes_.resize(used + out.view().encoded().size());
    return *this;
  }

  std::vector<std::uint8_t> bytes_;
  bool ok_ = true;
};

}  // namespace mqboard::mqtt
