// Reads control packets out of complete bodies (framer.hpp finds those). The first violation found is the one
// reported; after it every field reads as empty.
#pragma once

#include "core/mqtt/fields.hpp"
#include "core/mqtt/property_table.hpp"

namespace mqboard::mqtt {

class Decoder {
 public:
  Decoder(Wire wire, PacketType type, Bytes body)
      : wire_(wire), type_(type), at_(body.data()), end_(body.data() + body.size()) {}

  [[nodiscard]] Wire wire() const { return wire_; }
  [[nodiscard]] Violation violation() const { return violation_; }
  [[nodiscard]] bool at_end() const { return at_ == end_; }
  [[nodiscard]] const std::uint8_t* position() const { return at_; }

  void require(bool condition, Violation violation) {
    if (!condition) fail(violation);
  }
  bool omit_rest(bool) const { return at_end(); }

  void u8(std::uint8_t& value) { value = take(1) ? at_[-1] : std::uint8_t{0}; }
  void u16(std::uint16_t& value) {
    value = take(2) ? static_cast<std::uint16_t>(at_[-2] << 8 | at_[-1]) : std::uint16_t{0};
  }
  void packet_id(std::uint16_t& value) {
    u16(value);
    require(value != 0, Violation::packet_id_zero);
  }
  void binary(Bytes& value) {
    std::uint16_t size = 0;
    u16(size);
    value = take(size) ? Bytes{at_ - size, size} : Bytes{};
  }
  void text(std::string_view& value);
  void filter(std::string_view& value);
  void topic_or_nothing(std::string_view& value);  // empty with a topic alias (5.0)
  void optional_text(std::optional<std::string_view>& value) { text(value.emplace()); }
  void optional_binary(std::optional<Bytes>& value) { binary(value.emplace()); }
  void payload(Bytes& value) { value = rest(); }

  void protocol(ProtocolVersion& version);
  void reason(ReasonCode& code);
  void connack_reason(ReasonCode& code);
  void reason_list(Bytes& codes);
  void properties(PropertyView& view, PropertyView own = {});
  void will_properties(PropertyView& view);
  template<class Item>
  void items(FilterList<Item>& list) {
    const std::uint8_t* start = at_;
    require(!at_end(), Violation::no_filters);
    while (!at_end()) {
      Item item;
      item_fields(*this, item);
    }
    if (violation_ == Violation::none) list.encoded = {start, end_};
  }

  struct Bits {
    unsigned value = 0;
    bool ok = true;
    bool qos_ok = true;
    unsigned take(unsigned count) {
      const unsigned taken = value & ((1u << count) - 1);
      value >>= count;
      return taken;
    }
    void fixed(unsigned bits, unsigned count) { ok = take(count) == bits && ok; }
    void flag(bool& set) { set = take(1) != 0; }
    void qos(QoS& qos) {
      const unsigned level = take(2);
      qos_ok = level <= 2;
      qos = static_cast<QoS>(qos_ok ? level : 0);
    }
    void retain_handling(RetainHandling& handling) {
      const unsigned number = take(2);
      ok = ok && number <= 2;
      handling = static_cast<RetainHandling>(number);
    }
  };
  template<class Describe>
  void bits(Violation violation, Describe&& describe) {
    std::uint8_t byte = 0;
    u8(byte);
    Bits bits{byte};
    describe(bits);
    require(bits.ok && bits.qos_ok, violation);
  }

  template<class Field, class Value>
  static void assign(Field& field, const Value& value) {
    field = value;
  }

 private:
  void property_block(PropertyView& view, PropertyHome home);
  void fail(Violation violation) {
    if (violation_ == Violation::none) violation_ = violation;
    at_ = end_;
  }
  bool take(std::size_t count) {
    if (count > static_cast<std::size_t>(end_ - at_)) {
      fail(Violation::truncated);
      return false;
    }
    at_ += count;
    return true;
  }
  Bytes rest() {
    const Bytes taken{at_, end_};
    at_ = end_;
    return taken;
  }

  Wire wire_;
  PacketType type_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  Violation violation_ = Violation::none;
};

using FieldReader = void (*)(Decoder&, void* packet);
// Reads the fields of a packet of any type but PUBLISH, whose flags are all reserved.
[[nodiscard]] Violation decode_with(FieldReader read, void* form, PacketType type, std::uint8_t first,
                                    Bytes body, Wire wire);
[[nodiscard]] Violation decode_publish(std::uint8_t first, Bytes body, Wire wire, Publish& packet);

template<class Form>
void read_fields(Decoder& decoder, void* into) {
  fields(decoder, *static_cast<Form*>(into));
}

// Reads a whole packet; `first` is its first byte, whose type the caller has looked at. The form of several
// types needs to be told which.
template<class Form>
Violation decode(PacketType type, std::uint8_t first, Bytes body, Wire wire, Form& form) {
  if constexpr (Maybe<Form, Publish>) {
    return decode_publish(first, body, wire, form);
  } else {
    return decode_with(read_fields<Form>, &form, type, first, body, wire);
  }
}

template<class Packet>
Violation decode(std::uint8_t first, Bytes body, Wire wire, Packet& packet) {
  return decode(Packet::type, first, body, wire, form_of(packet));
}

template<class Item>
bool FilterList<Item>::next(Wire wire, Item& item) {
  if (encoded.empty()) return false;
  Decoder decoder{wire, PacketType::subscribe, encoded};
  item_fields(decoder, item);
  encoded = encoded.subspan(static_cast<std::size_t>(decoder.position() - encoded.data()));
  return decoder.violation() == Violation::none;
}

}  // namespace mqboard::mqtt
