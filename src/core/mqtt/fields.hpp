// The fields of every control packet in wire order, each described once: an Encoder writes them, a Decoder
// reads them, for both versions and both directions. Reads like the tables of chapter 3.
//
// `c.require(condition, violation)` states what a received packet must fulfil; an Encoder ignores it.
// `c.omit_rest(condition)` is true where the rest of the packet is left out: when encoding because
// `condition` allows it, when decoding because the packet ends here.
#pragma once

#include <concepts>
#include <type_traits>

#include "core/mqtt/packet.hpp"

namespace mqboard::mqtt {

template<class P, class Packet>
concept Maybe = std::same_as<std::remove_const_t<P>, Packet>;  // const when encoding

template<class P>
concept AnyFilterRequest = Maybe<P, Subscribe> || Maybe<P, Unsubscribe>;
template<class P>
concept Ping = Maybe<P, Pingreq> || Maybe<P, Pingresp>;

// The part of a packet that has fields: what packets of several types have in common, or the packet itself.
template<class P>
auto& form_of(P& packet) {
  if constexpr (requires { typename P::Form; }) {
    using Form = std::conditional_t<std::is_const_v<P>, const typename P::Form, typename P::Form>;
    return static_cast<Form&>(packet);
  } else {
    return packet;
  }
}

// The four low bits of the first byte (section 2.2.2; 5.0: 2.1.3): those of PUBLISH, least significant first,
// and of the other types.
template<class Bits, class P>
void publish_bits(Bits& bits, P& packet) {
  bits.flag(packet.retain);
  bits.qos(packet.qos);
  bits.flag(packet.dup);
}
constexpr std::uint8_t reserved_bits(PacketType type) {
  const bool set =
      type == PacketType::pubrel || type == PacketType::subscribe || type == PacketType::unsubscribe;
  return set ? 0b0010 : 0;
}

template<class C, Maybe<WillView> W>
void will_fields(C& c, W& will) {
  c.will_properties(will.properties);
  c.text(will.topic);
  c.require(is_topic_name(will.topic), Violation::topic_name);
  c.binary(will.payload);
}

template<class C, Maybe<Connect> P>
void fields(C& c, P& p) {
  c.protocol(p.version);
  auto will = p.will.value_or(WillView{});
  bool has_will = p.will.has_value();
  bool has_password = p.password.has_value();
  bool has_user_name = p.user_name.has_value();
  c.bits(Violation::connect_flags, [&](auto& bits) {
    bits.fixed(0, 1);
    bits.flag(p.clean_start);
    bits.flag(has_will);
    bits.qos(will.qos);
    bits.flag(will.retain);
    bits.flag(has_password);
    bits.flag(has_user_name);
  });
  c.require(has_will || (will.qos == QoS::at_most_once && !will.retain), Violation::connect_flags);
  c.require(c.wire().v5() || has_user_name || !has_password, Violation::connect_flags);
  c.u16(p.keep_alive_s);
  c.properties(p.properties, p.own_properties);
  c.text(p.client_id);
  if (has_will) will_fields(c, will), c.assign(p.will, will);
  if (has_user_name) c.optional_text(p.user_name);
  if (has_password) c.optional_binary(p.password);
}

template<class C, Maybe<Connack> P>
void fields(C& c, P& p) {
  c.bits(Violation::connack_flags, [&](auto& bits) {
    bits.flag(p.session_present);
    bits.fixed(0, 7);
  });
  c.connack_reason(p.reason);
  c.require(!p.session_present || p.reason == ReasonCode::success, Violation::connack_flags);
  c.properties(p.properties);
}

template<class C, Maybe<Publish> P>
void fields(C& c, P& p) {
  c.require(p.qos != QoS::at_most_once || !p.dup, Violation::dup_on_qos0);
  c.topic_or_nothing(p.topic);
  if (p.qos != QoS::at_most_once) c.packet_id(p.packet_id);
  c.properties(p.properties, p.own_properties);
  c.payload(p.payload);
}

template<class C, Maybe<Acknowledgement> P>
void fields(C& c, P& p) {
  c.packet_id(p.packet_id);
  if (!c.wire().v5() || c.omit_rest(p.reason == ReasonCode::success && p.properties.empty())) return;
  c.reason(p.reason);
  if (c.omit_rest(p.properties.empty())) return;
  c.properties(p.properties);
}

// One topic filter of SUBSCRIBE with its options, and of UNSUBSCRIBE.
template<class C, Maybe<Subscription> I>
void item_fields(C& c, I& item) {
  c.filter(item.filter);
  c.bits(Violation::subscription_options, [&](auto& bits) {
    bits.qos(item.max_qos);
    if (c.wire().v5()) {
      bits.flag(item.no_local);
      bits.flag(item.retain_as_published);
      bits.retain_handling(item.retain_handling);
      bits.fixed(0, 2);
    } else {
      bits.fixed(0, 6);
    }
  });
  c.require(!item.no_local || !item.filter.starts_with("$share/"), Violation::subscription_options);
}

template<class C, Maybe<std::string_view> I>
void item_fields(C& c, I& item) {
  c.filter(item);
}

template<class C, AnyFilterRequest P>
void fields(C& c, P& p) {
  c.packet_id(p.packet_id);
  c.properties(p.properties);
  c.items(p.filters);
}

template<class C, Maybe<FilterAcknowledgement> P>
void fields(C& c, P& p) {
  c.packet_id(p.packet_id);
  c.properties(p.properties);
  c.reason_list(p.reason_codes);
}

template<class C, Ping P>
void fields(C&, P&) {}

template<class C, Maybe<ReasonOnly> P>
void fields(C& c, P& p) {
  if (!c.wire().v5() || c.omit_rest(p.reason == ReasonCode::success && p.properties.empty())) return;
  c.reason(p.reason);
  if (c.omit_rest(p.properties.empty())) return;
  c.properties(p.properties);
}

}  // namespace mqboard::mqtt
