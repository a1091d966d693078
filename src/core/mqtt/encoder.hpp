// Writes control packets. Sizes are known before a byte is written: encoding is a counting pass, then a
// writing pass over the same field description (fields.hpp).
#pragma once

#include <cstring>

#include "core/mqtt/fields.hpp"
#include "core/mqtt/varint.hpp"

namespace mqboard::mqtt {

// Memory in pieces: hands the encoder its next piece when one is full.
class Segments {
 public:
  virtual MutableBytes next() = 0;  // empty: no more

 protected:
  ~Segments() = default;
};

enum class PayloadMode : std::uint8_t { included, elsewhere };

class Encoder {
 public:
  // Counts only: size() tells what writing would take.
  explicit Encoder(Wire wire) : wire_(wire), counting_(true) {}
  // Writes into `out`, then into the pieces `more` hands out.
  Encoder(Wire wire, MutableBytes out, PayloadMode payload = PayloadMode::included, Segments* more = nullptr)
      : wire_(wire), at_(out.data()), room_(out.size()), more_(more), payload_(payload) {}

  [[nodiscard]] Wire wire() const { return wire_; }
  [[nodiscard]] std::size_t size() const { return size_; }  // of everything, a payload elsewhere included
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  [[nodiscard]] bool too_long() const { return too_long_; }  // a text or binary beyond 65535 bytes

  void u8(std::uint8_t value) { put(&value, 1); }
  void u16(std::uint16_t value) {
    const std::uint8_t field[2] = {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    put(field, 2);
  }
  void packet_id(std::uint16_t value) { u16(value); }
  void varint(std::uint32_t value) {
    std::uint8_t field[4];
    put(field, write_varint(value, field));
  }
  void binary(Bytes value) {
    too_long_ |= value.size() > 0xFFFF;
    u16(static_cast<std::uint16_t>(value.size()));
    put(value.data(), value.size());
  }
  void text(std::string_view value) { binary(as_bytes(value)); }
  void filter(std::string_view value) { text(value); }
  void topic_or_nothing(std::string_view value) { text(value); }
  // Called for fields that are there.
  void optional_text(const std::optional<std::string_view>& value) { text(*value); }
  void optional_binary(const std::optional<Bytes>& value) { binary(*value); }
  void payload(Bytes value) {
    if (payload_ == PayloadMode::elsewhere) {
      size_ += value.size();
    } else {
      put(value.data(), value.size());
    }
  }

  void protocol(ProtocolVersion version) {
    wire_.version = version;
    text("MQTT");
    u8(static_cast<std::uint8_t>(version));
  }
  void reason(ReasonCode code) { u8(static_cast<std::uint8_t>(code)); }
  void connack_reason(ReasonCode code);
  void reason_list(Bytes codes) { put(codes.data(), codes.size()); }
  void properties(PropertyView view, PropertyView own = {});
  void will_properties(PropertyView view) { properties(view); }
  template<class Item>
  void items(const FilterList<Item>& list) {
    for (const Item& item : list.items) item_fields(*this, item);
  }

  struct Bits {
    std::uint8_t value = 0;
    unsigned at = 0;
    void fixed(unsigned bits, unsigned count) {
      value = static_cast<std::uint8_t>(value | bits << at);
      at += count;
    }
    void flag(bool set) { fixed(set ? 1 : 0, 1); }
    void qos(QoS qos) { fixed(static_cast<unsigned>(qos), 2); }
    void retain_handling(RetainHandling handling) { fixed(static_cast<unsigned>(handling), 2); }
  };
  template<class Describe>
  void bits(Violation, Describe&& describe) {
    Bits bits;
    describe(bits);
    u8(bits.value);
  }

  static void require(bool, Violation) {}
  static bool omit_rest(bool condition) { return condition; }
  template<class Field, class Value>
  static void assign(const Field&, const Value&) {}

 private:
  void put(const std::uint8_t* data, std::size_t count) {
    size_ += count;
    if (count <= room_) {
      if (count != 0) std::memcpy(at_, data, count);
      at_ += count;
      room_ -= count;
    } else if (!counting_) {
      put_across({data, count});
    }
  }
  void put_across(Bytes data);

  Wire wire_;
  std::uint8_t* at_ = nullptr;
  std::size_t room_ = 0;
  std::size_t size_ = 0;
  Segments* more_ = nullptr;
  PayloadMode payload_ = PayloadMode::included;
  bool counting_ = false;
  bool overflowed_ = false;
  bool too_long_ = false;
};

template<class Form>
std::uint8_t first_byte(PacketType type, [[maybe_unused]] const Form& form) {
  Encoder::Bits bits;
  if constexpr (Maybe<Form, Publish>) {
    publish_bits(bits, form);
  } else {
    bits.value = reserved_bits(type);
  }
  return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | bits.value);
}

// Any packet, ready to be encoded: what differs from type to type is the function that writes its fields.
struct Encodable {
  using FieldWriter = void (*)(Encoder&, const void* packet);

  template<class Form>
  Encodable(PacketType type, const Form& form)
      : packet(&form),
        write([](Encoder& encoder, const void* from) { fields(encoder, *static_cast<const Form*>(from)); }),
        first(first_byte(type, form)) {
    if constexpr (Maybe<Form, Publish>) payload_bytes = form.payload.size();
  }
  template<class Packet>
  Encodable(const Packet& p) : Encodable(Packet::type, form_of(p)) {}  // implicit: a packet is encodable

  const void* packet;
  FieldWriter write;
  std::uint8_t first;
  std::size_t payload_bytes = 0;
};

// Bytes of the packet behind its fixed header; more than kMaxRemainingLength when it cannot be encoded.
[[nodiscard]] std::size_t body_size(const Encodable& packet, Wire wire);

constexpr std::size_t packet_size(std::size_t body_bytes) {
  return 1 + varint_size(static_cast<std::uint32_t>(body_bytes)) + body_bytes;
}

// Writes the packet to the front of `out` and returns its bytes there, a payload elsewhere not counted; 0
// when it cannot be encoded or does not fit. `body` is its body_size().
std::size_t encode(const Encodable& packet, std::size_t body, Wire wire, MutableBytes out,
                   PayloadMode payload = PayloadMode::included);

inline std::size_t encode(const Encodable& packet, Wire wire, MutableBytes out) {
  return encode(packet, body_size(packet, wire), wire, out);
}

}  // namespace mqboard::mqtt
