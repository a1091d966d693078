#include "cli/v1_scripts.hpp"

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

TEST(PythonLiteral, QuotedText_CanBeRead) {
  EXPECT_EQ(v1_script::quote("/a b/it's\\\n\x01"), R"('/a b/it\'s\\\x0a\x01')");
  for (const std::string text :
       {"", "plain", "it's", "back\\slash", "new\nline", "\xc3\xa4\xf0\x9f\x98\x80", "\x7f\t\""}) {
    EXPECT_EQ(v1_script::unquote(v1_script::quote(text)), text);
  }
}

TEST(PythonLiteral, MicroPythonsRepr_IsRead) {
  EXPECT_EQ(v1_script::unquote(R"("it's")"), "it's");
  EXPECT_EQ(v1_script::unquote(R"('\xe4\u20ac\U0001f600\n')"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n");
}

TEST(PythonLiteral, Malformed_IsNothing) {
  for (const char* text : {"", "'", "'a", "a'", "'a'b", R"('\x1')", R"('\q')", "'\\", "\"a'"}) {
    EXPECT_FALSE(v1_script::unquote(text)) << text;
  }
}

TEST(V1List, Answer_IsTakenApart) {
  const auto entries = v1_script::parse_list("d 0 - '/lib'\r\nf 12 - \"/it's\"\r\nf 3 abcd '/a b'\n");
  ASSERT_TRUE(entries);
  EXPECT_EQ(*entries, (std::vector<Entry>{
                          {"/lib", true, 0, ""}, {"/it's", false, 12, ""}, {"/a b", false, 3, "abcd"}}));
  EXPECT_TRUE(v1_script::parse_list("")->empty());
}

TEST(V1List, Nonsense_IsAnErrorOfTheBoard) {
  for (const char* text :
       {"x 0 - '/a'\n", "f x - '/a'\n", "f 1 '/a'\n", "f 1 - /a\n", "f -1 - '/a'\n", "hello\n"}) {
    const auto entries = v1_script::parse_list(text);
    ASSERT_FALSE(entries) << text;
    EXPECT_EQ(entries.error().status, ExitStatus::board_error);
  }
}

TEST(Explain, Tracebacks_BecomeOneLineThatNamesTheThing) {
  constexpr const char* kTraceback =
      "Traceback (most recent call last):\n  File \"mqrepl.py\", line 324, in _msg_cb\n";
  const std::pair<const char*, const char*> cases[] = {
      {"OSError: [Errno 2] ENOENT\n", "/x: No such file or directory"},
      {"OSError: ENOTDIR\n", "/x: Not a directory"},
      {"OSError: 28\n", "/x: No space left on flash"},
      {"OSError: -2\n", "/x: No such file or directory"},
      {"OSError: [Errno 21] EISDIR: /x\n", "/x: Is a directory"},
      {"OSError: [Errno 44] ENOENT", "/x: No such file or directory"},
      {"MemoryError: memory allocation failed, allocating 1400 bytes", nullptr}};
  for (const auto& [line, expected] : cases) {
    const Failure failure = explain(std::string(kTraceback) + line, "/x");
    EXPECT_EQ(failure.status, ExitStatus::board_error);
    EXPECT_EQ(failure.message, expected != nullptr ? expected : "/x: " + std::string(line));
    EXPECT_EQ(failure.detail, std::string(kTraceback) + line);
  }
}

TEST(Explain, DamagedContent_IsAnIntegrityFailure) {
  EXPECT_EQ(explain("OSError: EILSEQ", "/x").status, ExitStatus::integrity);
}

TEST(Explain, UnknownCommand_SaysWhatTheBoardCannotDo) {
  const Failure failure = explain("Command 'interrupt' not supported", "interrupt");
  EXPECT_NE(failure.message.find("not support"), std::string::npos);
}

TEST(Explain, OtherTexts_AreQuoted) {
  EXPECT_EQ(explain("MQRepl protocol error put: message missing", "/x").message,
            "/x: MQRepl protocol error put: message missing");
  EXPECT_EQ(explain("", "/x").message, "/x: ");
}

TEST(Statements, CannotBeAnExpression) { EXPECT_EQ(v1_script::as_statements("print(1)"), "print(1)\npass"); }

}  // namespace
}  // namespace mqboard::cli
