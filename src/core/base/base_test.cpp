#include <gtest/gtest.h>

#include <array>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/crc32.hpp"
#include "core/base/json_text.hpp"
#include "core/base/utf8.hpp"

namespace mqboard {
namespace {

TEST(Reader, ReadsBigEndianFieldsInOrder) {
  const std::array<std::uint8_t, 15> input{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Reader reader{input};
  EXPECT_EQ(reader.u8(), 0x01u);
  EXPECT_EQ(reader.u16(), 0x0203u);
  EXPECT_EQ(reader.u32(), 0x04050607u);
  EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_TRUE(reader.at_end());
}

TEST(Reader, ReadingPastTheEndFailsForGoodAndYieldsZero) {
  const std::array<std::uint8_t, 3> input{1, 2, 3};
  Reader reader{input};
  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.u8(), 0u);
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_FALSE(reader.at_end());
}

TEST(Writer, AFieldThatDoesNotFitIsNotWrittenAtAll) {
  std::array<std::uint8_t, 3> output{0xEE, 0xEE, 0xEE};
  Writer writer{output};
  writer.u16(0x1234);
  writer.u16(0x5678);
  EXPECT_TRUE(writer.failed());
  EXPECT_TRUE(writer.written().empty());
  EXPECT_EQ(output, (std::array<std::uint8_t, 3>{0x12, 0x34, 0xEE}));
}

TEST(Crc32, MatchesTheCheckValueWholeAndInParts) {
  const std::string check = "123456789";
  EXPECT_EQ(crc32(as_bytes(check)), 0xCBF43926u);
  EXPECT_EQ(crc32(as_bytes(check.substr(4)), crc32(as_bytes(check.substr(0, 4)))), 0xCBF43926u);
}

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonText, EscapesWhatMayNotStandInAStringAndNothingElse) {
  EXPECT_EQ(json(""), R"("")");
  EXPECT_EQ(json("plain \u00e9 text"), "\"plain \u00e9 text\"");
  EXPECT_EQ(json("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(json(std::string_view("a\0\x1f\x7f", 4)), R"("a\u0000\u001f\u007f")");
}

TEST(JsonText, EachByteThatIsNotUtf8BecomesAReplacementCharacter) {
  EXPECT_EQ(json("a\xff\xe2\x82z"), "\"a\uFFFD\uFFFD\uFFFDz\"");
  EXPECT_EQ(json("\xc3"), "\"\uFFFD\"");
}

TEST(Utf8, AcceptsWellFormedAndRefusesTheRest) {
  for (const std::string text :
       {"", "plain", "\xC2\x80", "\xE2\x82\xAC", "\xF0\x9F\x8D\x8E", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(as_bytes(text))) << text;
  for (const std::string text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xE2\x28\xA1"})
    EXPECT_FALSE(is_utf8(as_bytes(text)));
}

TEST(Utf8, PrefixNeverCutsASequence) {
  const std::string text =
      "ab\xE2\x82\xAC"
      "c";
  EXPECT_EQ(utf8_prefix(as_bytes(text), 1), 1u);
  EXPECT_EQ(utf8_prefix(as_bytes(text), 2), 2u);
  EXPECT_EQ(utf8_prefix(as_bytes(text), 3), 2u);
  EXPECT_EQ(utf8_prefix(as_bytes(text), 4), 2u);
  EXPECT_EQ(utf8_prefix(as_bytes(text), 5), 5u);
  EXPECT_EQ(utf8_prefix(as_bytes(text), 99), 6u);
}

}  // namespace
}  // namespace mqboard
