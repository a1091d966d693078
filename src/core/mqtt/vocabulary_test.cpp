// The public vocabulary: topics and filters, properties, reason codes.
#include <gtest/gtest.h>

#include <string>

#include <mqboard/mqtt/properties.hpp>
#include <mqboard/mqtt/reason_code.hpp>
#include <mqboard/mqtt/types.hpp>

#include "core/mqtt/property_table.hpp"
#include "core/mqtt/reason_table.hpp"
#include "core/mqtt/text.hpp"

namespace mqboard::mqtt {
namespace {

TEST(Topics, NamesAndFilters) {
  for (const std::string_view good : {"a", "/", "a/b", "a//b", " ", "\xC3\xA4", "$SYS/x", "a$b"}) {
    EXPECT_TRUE(is_topic_name(good)) << good;
    EXPECT_TRUE(is_topic_filter(good)) << good;
  }
  for (const std::string_view filter :
       {"#", "+", "+/+", "a/#", "a/+/b", "/+", "+/", "$share/g/a", "$share/g/#", "$share/g/+/"}) {
    EXPECT_EQ(is_topic_name(filter), filter == "$share/g/a") << filter;
    EXPECT_TRUE(is_topic_filter(filter)) << filter;
  }
  for (const std::string_view bad :
       {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##", "$share//a", "$share/g", "$share/g/",
        "$share/+/a", "$share/g#/a", "\xFF", "a/\xED\xA0\x80"}) {
    EXPECT_FALSE(is_topic_filter(bad)) << bad;
  }
  EXPECT_FALSE(is_topic_name(std::string_view("a\0", 2)));
  EXPECT_TRUE(is_topic_name(std::string(65535, 'a')));
  EXPECT_FALSE(is_topic_name(std::string(65536, 'a')));
}

struct Match {
  const char* filter;
  const char* topic;
  bool matches;
};

TEST(Topics, Matching) {
  const Match kMatches[] = {
      {"a/b", "a/b", true},
      {"a/b", "a/c", false},
      {"a/b", "a/b/c", false},
      {"a", "a/b", false},
      {"#", "a/b", true},
      {"a/#", "a", true},
      {"a/#", "a/b/c", true},
      {"a/#", "ab", false},
      {"a/+", "a/b", true},
      {"a/+", "a", false},
      {"a/+", "a/", true},
      {"a/+", "a/b/c", false},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      {"#", "$SYS/x", false},
      {"+/x", "$SYS/x", false},
      {"$SYS/#", "$SYS/x", true},
      {"a/+/c/#", "a/b/c", true},
      {"a/+/c/#", "a/b/d", false},
      {"$share/g/a/+", "a/b", true},
      {"$share/g/#", "$SYS/a", false},
      {"A", "a", false},
      {"+/#", "a", true},
  };
  for (const Match& row : kMatches)
    EXPECT_EQ(matches(row.filter, row.topic), row.matches) << row.filter << " " << row.topic;
}

TEST(Text, PlainPrefixAndMultiByteMeetAnywhere) {
  for (std::size_t before = 0; before < 20; ++before) {
    const std::string plain(before, 'x');
    const auto check = [&](std::string_view tail) {
      return check_text(as_bytes(plain + std::string(tail) + "end"));
    };
    EXPECT_EQ(check(""), Violation::none);
    EXPECT_EQ(check("\xE2\x82\xAC"), Violation::none);
    EXPECT_EQ(check("\x7F\x01"), Violation::none);
    EXPECT_EQ(check("\xE2\x82"), Violation::utf8);
    EXPECT_EQ(check("\x80"), Violation::utf8);
    EXPECT_EQ(check(std::string_view("\0", 1)), Violation::utf8_null);
    EXPECT_EQ(check(std::string_view("\xC3\xA4\0", 3)), Violation::utf8_null);
  }
}

TEST(Properties, WhatIsWrittenIsReadBack) {
  const Properties properties = Properties{}
                                    .number(PropertyId::payload_format_indicator, 1)
                                    .number(PropertyId::message_expiry_interval, 3600)
                                    .text(PropertyId::content_type, "text/plain")
                                    .binary(PropertyId::correlation_data, as_bytes("\x01\x02"))
                                    .user_property("key", "one")
                                    .user_property("key", "two");
  ASSERT_TRUE(properties.ok());
  const PropertyView view = properties;
  EXPECT_EQ(check_properties(view.encoded(), PropertyHome::publish_to_server), Violation::none);
  EXPECT_EQ(view.number(PropertyId::payload_format_indicator), 1u);
  EXPECT_EQ(view.number(PropertyId::message_expiry_interval), 3600u);
  EXPECT_EQ(view.text(PropertyId::content_type), "text/plain");
  EXPECT_EQ(view.binary(PropertyId::correlation_data)->size(), 2u);
  EXPECT_EQ(view.user_property("key"), "one");
  EXPECT_FALSE(view.user_property("other"));
  EXPECT_FALSE(view.number(PropertyId::topic_alias));
  EXPECT_FALSE(view.number(PropertyId::content_type));
  EXPECT_FALSE(view.text(PropertyId::correlation_data));
  int count = 0;
  for (PropertyView rest = view; rest.next();) ++count;
  EXPECT_EQ(count, 6);
}

TEST(Properties, WrongTypeOrTooLarge_IsLeftOutAndNoted) {
  EXPECT_FALSE(Properties{}.number(PropertyId::content_type, 1).ok());
  EXPECT_FALSE(Properties{}.text(PropertyId::receive_maximum, "1").ok());
  EXPECT_FALSE(Properties{}.number(PropertyId::receive_maximum, 65536).ok());
  EXPECT_FALSE(Properties{}.text(PropertyId::content_type, std::string(65536, 'x')).ok());
  EXPECT_FALSE(Properties{}.number(PropertyId::subscription_identifier, 1u << 28).ok());
  std::uint8_t small[4];
  PropertyWriter writer{small};
  writer.number(PropertyId::receive_maximum, 7).number(PropertyId::receive_maximum, 8);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.view().number(PropertyId::receive_maximum), 7u);
}

TEST(Properties, EveryIdentifierRoundTripsInAHomeOfItsOwn) {
  for (int id = 0; id < 256; ++id) {
    std::uint8_t room[16];
    const auto property = static_cast<PropertyId>(id);
    int kinds = 0;
    if (PropertyWriter writer{room}; writer.number(property, 1).ok()) ++kinds;
    if (PropertyWriter writer{room}; writer.text(property, "t").ok()) ++kinds;
    if (PropertyWriter writer{room}; writer.binary(property, as_bytes("b")).ok()) ++kinds;
    const bool known = (id >= 0x01 && id <= 0x03) || id == 0x08 || id == 0x09 || id == 0x0B ||
                       (id >= 0x11 && id <= 0x1A && id != 0x14 && id != 0x1B) || id == 0x1C || id == 0x1F ||
                       (id >= 0x21 && id <= 0x2A);
    EXPECT_EQ(kinds, known && id != 0x26 ? 1 : 0) << id;
  }
}

TEST(ReasonCodes, HaveNames) {
  EXPECT_EQ(describe(ReasonCode::success), "success");
  EXPECT_EQ(describe(ReasonCode::server_moved), "server moved");
  EXPECT_EQ(describe(static_cast<ReasonCode>(0x42)), "unknown reason");
  EXPECT_TRUE(is_failure(ReasonCode::unspecified_error));
  EXPECT_FALSE(is_failure(ReasonCode::reauthenticate));
}

TEST(ReasonCodes, ReturnCodesOf311RoundTrip) {
  for (std::uint8_t code = 0; code <= 5; ++code)
    EXPECT_EQ(connack_return_code(*from_connack_return_code(code)), code);
  EXPECT_FALSE(from_connack_return_code(6));
  EXPECT_EQ(connack_return_code(ReasonCode::banned), 3);
}

}  // namespace
}  // namespace mqboard::mqtt
