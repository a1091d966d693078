#include "cli/json.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli::json {
namespace {

TEST(Json, Text_IsEscaped) {
  EXPECT_EQ(Value("a\"b\\c\n\t\x01\x7f").text, R"("a\"b\\c\n\t\u0001\u007f")");
  EXPECT_EQ(Value("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80").text, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

TEST(Json, IllFormedUtf8_BecomesReplacementCharacters) {
  EXPECT_EQ(Value("a\xff"
                  "b\xc3")
                .text,
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\"");
}

TEST(Json, NulBytes_AreKept) { EXPECT_EQ(Value(std::string_view("a\0b", 3)).text, "\"a\\u0000b\""); }

TEST(Json, ObjectsAndArraysNest) {
  const Value values[] = {Value(1), Value(true), Value::null(), Value::number(1.5)};
  EXPECT_EQ(object({{"list", array(values)}, {"empty", object({})}}).text,
            R"({"list": [1, true, null, 1.5], "empty": {}})");
}

}  // namespace
}  // namespace mqboard::cli::json
