#include "core/mqtt/decoder.hpp"

#include "core/mqtt/reason_table.hpp"
#include "core/mqtt/text.hpp"
#include "core/mqtt/varint.hpp"

namespace mqboard::mqtt {

namespace {

Violation finished(Decoder& decoder) {
  decoder.require(decoder.at_end(), Violation::trailing_bytes);
  return decoder.violation();
}

}  // namespace

Violation decode_with(FieldReader read, void* form, PacketType type, std::uint8_t first, Bytes body,
                      Wire wire) {
  if ((first & 0x0F) != reserved_bits(type)) return Violation::fixed_header_flags;
  Decoder decoder{wire, type, body};
  read(decoder, form);
  return finished(decoder);
}

Violation decode_publish(std::uint8_t first, Bytes body, Wire wire, Publish& packet) {
  Decoder::Bits flags{first};
  publish_bits(flags, packet);
  if (!flags.qos_ok) return Violation::qos;
  Decoder decoder{wire, PacketType::publish, body};
  fields(decoder, packet);
  return finished(decoder);
}

void Decoder::text(std::string_view& value) {
  Bytes bytes;
  binary(bytes);
  value = as_text(bytes);
  const Violation found = check_text(bytes);
  if (found != Violation::none) fail(found);
}

void Decoder::topic_or_nothing(std::string_view& value) {
  Bytes bytes;
  binary(bytes);
  value = as_text(bytes);
  if (value.empty() || is_topic_name(value)) return;
  const Violation found = check_text(bytes);
  fail(found != Violation::none ? found : Violation::topic_name);
}

void Decoder::filter(std::string_view& value) {
  text(value);
  require(is_topic_filter(value), Violation::topic_filter);
}

void Decoder::protocol(ProtocolVersion& version) {
  std::string_view name;
  std::uint8_t level = 0;
  text(name);
  u8(level);
  require(name == "MQTT" && (level == 4 || level == 5), Violation::protocol_name);
  version = level == 5 ? ProtocolVersion::v5 : ProtocolVersion::v3_1_1;
  wire_.version = version;
}

void Decoder::reason(ReasonCode& code) {
  std::uint8_t byte = 0;
  u8(byte);
  require(reason_allowed(byte, type_, wire_.flow), Violation::reason_code);
  code = static_cast<ReasonCode>(byte);
}

void Decoder::connack_reason(ReasonCode& code) {
  if (wire_.v5()) return reason(code);
  std::uint8_t byte = 0;
  u8(byte);
  const std::optional<ReasonCode> known = from_connack_return_code(byte);
  require(known.has_value(), Violation::reason_code);
  code = known.value_or(ReasonCode::unspecified_error);
}

void Decoder::reason_list(Bytes& codes) {
  const bool v5 = wire_.v5();
  if (type_ == PacketType::unsuback && !v5) return;
  const Bytes list = rest();
  require(!list.empty(), Violation::truncated);
  for (const std::uint8_t code : list) {
    const bool allowed = v5 ? reason_allowed(code, type_, wire_.flow) : code <= 2 || code == 0x80;
    require(allowed, Violation::reason_code);
  }
  codes = list;
}

void Decoder::properties(PropertyView& view, PropertyView) {
  property_block(view, property_home(type_, wire_.flow));
}
void Decoder::will_properties(PropertyView& view) { property_block(view, PropertyHome::will); }

void Decoder::property_block(PropertyView& view, PropertyHome home) {
  if (!wire_.v5()) return;
  const Varint length = read_varint({at_, end_});
  if (length.state == Varint::State::malformed ||
      (length.state == Varint::State::complete && length.overlong())) {
    return fail(Violation::remaining_length);
  }
  if (length.state == Varint::State::needs_more ||
      length.value > static_cast<std::size_t>(end_ - at_) - length.size) {
    return fail(Violation::property_length);
  }
  at_ += length.size + length.value;
  const Bytes block{at_ - length.value, length.value};
  const Violation found = check_properties(block, home);
  if (found != Violation::none) return fail(found);
  view = PropertyView{block};
}

}  // namespace mqboard::mqtt
