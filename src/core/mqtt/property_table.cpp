#include "core/mqtt/property_table.hpp"

#include <array>
#include <cstring>

#include "core/mqtt/text.hpp"
#include "core/mqtt/varint.hpp"

namespace mqboard::mqtt {
namespace {

enum class Kind : std::uint8_t { none, byte, u16, u32, varint, text, binary, pair };

constexpr unsigned bit(PropertyHome home) { return static_cast<unsigned>(home); }
constexpr unsigned kConnect = bit(PropertyHome::connect);
constexpr unsigned kWill = bit(PropertyHome::will);
constexpr unsigned kConnack = bit(PropertyHome::connack);
constexpr unsigned kToServer = bit(PropertyHome::publish_to_server);
constexpr unsigned kToClient = bit(PropertyHome::publish_to_client);
constexpr unsigned kPublish = kToServer | kToClient;
constexpr unsigned kAck = bit(PropertyHome::acknowledgement);
constexpr unsigned kSubscribe = bit(PropertyHome::subscribe);
constexpr unsigned kAuth = bit(PropertyHome::auth);
constexpr unsigned kClientDisconnect = bit(PropertyHome::disconnect_to_server);
constexpr unsigned kServerDisconnect = bit(PropertyHome::disconnect_to_client);
constexpr unsigned kDisconnect = kClientDisconnect | kServerDisconnect;
constexpr unsigned kEverywhere = 0x7FF;

struct Row {
  Kind kind = Kind::none;
  std::uint8_t most = 0;  // largest value of a byte; elsewhere 1 forbids the value zero
  std::uint16_t homes = 0;
};

constexpr auto make_rows() {
  std::array<Row, 0x2B> rows{};
  const auto set = [&rows](PropertyId id, Kind kind, unsigned homes, std::uint8_t most = 0) {
    rows[static_cast<std::size_t>(id)] = {kind, most, static_cast<std::uint16_t>(homes)};
  };
  using enum PropertyId;
  set(payload_format_indicator, Kind::byte, kPublish | kWill, 1);
  set(message_expiry_interval, Kind::u32, kPublish | kWill);
  set(content_type, Kind::text, kPublish | kWill);
  set(response_topic, Kind::text, kPublish | kWill);
  set(correlation_data, Kind::binary, kPublish | kWill);
  set(subscription_identifier, Kind::varint, kToClient | kSubscribe, 1);
  set(session_expiry_interval, Kind::u32, kConnect | kConnack | kClientDisconnect);
  set(assigned_client_identifier, Kind::text, kConnack);
  set(server_keep_alive, Kind::u16, kConnack);
  set(authentication_method, Kind::text, kConnect | kConnack | kAuth);
  set(authentication_data, Kind::binary, kConnect | kConnack | kAuth);
  set(request_problem_information, Kind::byte, kConnect, 1);
  set(will_delay_interval, Kind::u32, kWill);
  set(request_response_information, Kind::byte, kConnect, 1);
  set(response_information, Kind::text, kConnack);
  set(server_reference, Kind::text, kConnack | kServerDisconnect);
  set(reason_string, Kind::text, kConnack | kAck | kDisconnect | kAuth);
  set(receive_maximum, Kind::u16, kConnect | kConnack, 1);
  set(topic_alias_maximum, Kind::u16, kConnect | kConnack);
  set(topic_alias, Kind::u16, kPublish);  // zero is the session's business: it has its own reason code
  set(maximum_qos, Kind::byte, kConnack, 1);
  set(retain_available, Kind::byte, kConnack, 1);
  set(user_property, Kind::pair, kEverywhere);
  set(maximum_packet_size, Kind::u32, kConnect | kConnack, 1);
  set(wildcard_subscription_available, Kind::byte, kConnack, 1);
  set(subscription_identifier_available, Kind::byte, kConnack, 1);
  set(shared_subscription_available, Kind::byte, kConnack, 1);
  return rows;
}
constexpr auto kRows = make_rows();

Kind kind_of(PropertyId id) {
  const auto index = static_cast<std::size_t>(id);
  return index < kRows.size() ? kRows[index].kind : Kind::none;
}

bool take_string(Bytes& rest, Bytes& value) {
  if (rest.size() < 2) return false;
  const std::size_t size = static_cast<std::size_t>(rest[0]) << 8 | rest[1];
  if (rest.size() - 2 < size) return false;
  value = rest.subspan(2, size);
  rest = rest.subspan(2 + size);
  return true;
}

bool take_number(Bytes& rest, std::size_t size, std::uint32_t& value) {
  if (rest.size() < size) return false;
  for (const std::uint8_t byte : rest.first(size)) value = value << 8 | byte;
  rest = rest.subspan(size);
  return true;
}

bool take_varint(Bytes& rest, std::uint32_t& value) {
  const Varint read = read_varint(rest);
  if (read.state != Varint::State::complete || read.overlong()) return false;
  value = read.value;
  rest = rest.subspan(read.size);
  return true;
}

// Takes one property off the front; `property.id` is set even when its value is malformed.
bool take_property(Bytes& rest, Property& property) {
  property.id = static_cast<PropertyId>(rest[0]);
  rest = rest.subspan(1);
  switch (kind_of(property.id)) {
    case Kind::none:
      return false;
    case Kind::byte:
      return take_number(rest, 1, property.number);
    case Kind::u16:
      return take_number(rest, 2, property.number);
    case Kind::u32:
      return take_number(rest, 4, property.number);
    case Kind::varint:
      return take_varint(rest, property.number);
    case Kind::text:
    case Kind::binary:
      return take_string(rest, property.bytes);
    case Kind::pair:
      return take_string(rest, property.name) && take_string(rest, property.bytes);
  }
  return false;
}

Violation check_value(const Row& row, const Property& property) {
  switch (row.kind) {
    case Kind::byte:
      return property.number > row.most ? Violation::property_value : Violation::none;
    case Kind::u16:
    case Kind::u32:
    case Kind::varint:
      return property.number < row.most ? Violation::property_value : Violation::none;
    case Kind::pair:
      if (const Violation found = check_text(property.name); found != Violation::none) return found;
      return check_text(property.bytes);
    case Kind::text: {
      const Violation found = check_text(property.bytes);
      const bool topic = property.id == PropertyId::response_topic;
      if (found != Violation::none || !topic) return found;
      return is_topic_name(property.text()) ? Violation::none : Violation::response_topic;
    }
    default:
      return Violation::none;
  }
}

}  // namespace

PropertyHome property_home(PacketType type, Flow flow) {
  using enum PropertyHome;
  static constexpr PropertyHome none{};
  static constexpr PropertyHome kHomes[] = {none,
                                            connect,
                                            connack,
                                            publish_to_server,
                                            acknowledgement,
                                            acknowledgement,
                                            acknowledgement,
                                            acknowledgement,
                                            subscribe,
                                            acknowledgement,
                                            unsubscribe,
                                            acknowledgement,
                                            none,
                                            none,
                                            disconnect_to_server,
                                            auth};
  const PropertyHome home = kHomes[static_cast<std::size_t>(type)];
  if (flow == Flow::to_server) return home;
  return home == publish_to_server      ? publish_to_client
         : home == disconnect_to_server ? disconnect_to_client
                                        : home;
}

Violation check_properties(Bytes block, PropertyHome home) {
  std::uint64_t seen = 0;
  while (!block.empty()) {
    Property property;
    if (kind_of(static_cast<PropertyId>(block[0])) == Kind::none) return Violation::property_unknown;
    if (!take_property(block, property)) return Violation::property_length;
    const Row& row = kRows[static_cast<std::size_t>(property.id)];
    if ((row.homes & bit(home)) == 0) return Violation::property_not_allowed;
    const std::uint64_t mark = std::uint64_t{1} << static_cast<unsigned>(property.id);
    const bool may_repeat =
        property.id == PropertyId::user_property ||
        (property.id == PropertyId::subscription_identifier && home != PropertyHome::subscribe);
    if ((seen & mark) != 0 && !may_repeat) return Violation::property_repeated;
    seen |= mark;
    if (const Violation found = check_value(row, property); found != Violation::none) return found;
  }
  const auto had = [seen](PropertyId id) { return (seen >> static_cast<unsigned>(id) & 1) != 0; };
  const bool data_alone = had(PropertyId::authentication_data) && !had(PropertyId::authentication_method);
  return data_alone ? Violation::authentication : Violation::none;
}

std::optional<Property> PropertyView::next() {
  Property property;
  if (encoded_.empty() || !take_property(encoded_, property)) {
    encoded_ = {};
    return std::nullopt;
  }
  return property;
}

std::optional<std::uint32_t> PropertyView::number(PropertyId id) const {
  if (kind_of(id) >= Kind::text) return std::nullopt;
  for (PropertyView rest = *this; const auto property = rest.next();) {
    if (property->id == id) return property->number;
  }
  return std::nullopt;
}

std::optional<Bytes> PropertyView::binary(PropertyId id) const {
  if (kind_of(id) != Kind::text && kind_of(id) != Kind::binary) return std::nullopt;
  for (PropertyView rest = *this; const auto property = rest.next();) {
    if (property->id == id) return property->bytes;
  }
  return std::nullopt;
}

std::optional<std::string_view> PropertyView::text(PropertyId id) const {
  const std::optional<Bytes> bytes = kind_of(id) == Kind::text ? binary(id) : std::nullopt;
  if (!bytes) return std::nullopt;
  return as_text(*bytes);
}

std::optional<std::string_view> PropertyView::user_property(std::string_view name) const {
  for (PropertyView rest = *this; const auto property = rest.next();) {
    if (property->id == PropertyId::user_property && property->name_text() == name) return property->text();
  }
  return std::nullopt;
}

bool PropertyView::operator==(const PropertyView& other) const {
  return as_text(encoded_) == as_text(other.encoded_);
}

namespace {

// Appends one property whole or not at all.
class Appender {
 public:
  Appender(std::span<std::uint8_t> room, PropertyId id, bool allowed) : out_(room) {
    if (!allowed) out_.fail();
    out_.u8(static_cast<std::uint8_t>(id));
  }
  void number(Kind kind, std::uint32_t value) {
    std::uint8_t field[4];
    if (kind == Kind::byte && value <= 0xFF) return out_.u8(static_cast<std::uint8_t>(value));
    if (kind == Kind::u16 && value <= 0xFFFF) return out_.u16(static_cast<std::uint16_t>(value));
    if (kind == Kind::u32) return out_.u32(value);
    if (kind == Kind::varint && value < 1u << 28) return out_.bytes({field, write_varint(value, field)});
    out_.fail();
  }
  void string(Bytes value) {
    if (value.size() > 0xFFFF) return out_.fail();
    out_.u16(static_cast<std::uint16_t>(value.size()));
    out_.bytes(value);
  }
  void finish(std::size_t& used, bool& ok) const {
    if (out_.failed()) {
      ok = false;
    } else {
      used += out_.size();
    }
  }

 private:
  Writer out_;
};

}  // namespace

PropertyWriter& PropertyWriter::number(PropertyId id, std::uint32_t value) {
  Appender out{buffer_.subspan(used_), id, true};
  out.number(kind_of(id), value);
  return out.finish(used_, ok_), *this;
}

PropertyWriter& PropertyWriter::string(PropertyId id, bool allowed, Bytes value) {
  Appender out{buffer_.subspan(used_), id, allowed};
  out.string(value);
  return out.finish(used_, ok_), *this;
}

PropertyWriter& PropertyWriter::text(PropertyId id, std::string_view value) {
  return string(id, kind_of(id) == Kind::text, as_bytes(value));
}

PropertyWriter& PropertyWriter::binary(PropertyId id, Bytes value) {
  return string(id, kind_of(id) == Kind::binary, value);
}

PropertyWriter& PropertyWriter::user_property(std::string_view name, std::string_view value) {
  Appender out{buffer_.subspan(used_), PropertyId::user_property, true};
  out.string(as_bytes(name));
  out.string(as_bytes(value));
  return out.finish(used_, ok_), *this;
}

}  // namespace mqboard::mqtt
