#include "cli/repl_input.hpp"

#include <initializer_list>

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

ReplInput typed(std::initializer_list<const char*> lines) {
  ReplInput input;
  for (const char* line : lines) input.add(line);
  return input;
}

TEST(ReplInput, SimpleStatement_IsCompleteAtOnce) {
  for (const char* line :
       {"1+1", "print('a')", "x = 'if'", "iffy = 1", "", "# comment (", "x = '('", "match = 3", "'\\''"}) {
    EXPECT_TRUE(typed({line}).complete()) << line;
  }
}

TEST(ReplInput, CompoundStatement_EndsWithAnEmptyLine) {
  for (const char* line :
       {"if x:", "def f():", "@decorator", "async def f():", "with a as b:", "if x: pass", "try:"}) {
    EXPECT_FALSE(typed({line}).complete()) << line;
    EXPECT_FALSE(typed({line, "    pass"}).complete()) << line;
    EXPECT_TRUE(typed({line, "    pass", ""}).complete()) << line;
  }
}

TEST(ReplInput, OpenBracketsQuotesAndBackslash_Continue) {
  EXPECT_FALSE(typed({"x = ("}).complete());
  EXPECT_FALSE(typed({"x = (", "[1,", ""}).complete());
  EXPECT_TRUE(typed({"x = (", "1)"}).complete());
  EXPECT_FALSE(typed({"x = '''a"}).complete());
  EXPECT_FALSE(typed({"x = '''a", "b)'"}).complete());
  EXPECT_TRUE(typed({"x = '''a", "b'''"}).complete());
  EXPECT_FALSE(typed({"x = 1 + \\"}).complete());
  EXPECT_TRUE(typed({"x = 1 + \\", "2"}).complete());
  EXPECT_TRUE(typed({"x = '('"}).complete());
  EXPECT_TRUE(typed({"x = 'unfinished"}).complete()) << "Python says so";
}

TEST(ReplInput, Indentation_FollowsBlocks) {
  EXPECT_EQ(typed({"if x:"}).indentation(), "    ");
  EXPECT_EQ(typed({"if x:  # why"}).indentation(), "    ");
  EXPECT_EQ(typed({"def f():", "    if x:"}).indentation(), "        ");
  EXPECT_EQ(typed({"def f():", "    x = 1"}).indentation(), "    ");
  EXPECT_EQ(typed({"def f():", "    if x:", "        return 1"}).indentation(), "    ");
  EXPECT_EQ(typed({"def f():", "    returned = 1"}).indentation(), "    ");
  EXPECT_EQ(typed({"d = {1:"}).indentation(), "");
  EXPECT_EQ(typed({}).indentation(), "");
}

TEST(ReplInput, Take_GivesTheSourceAndBeginsAnew) {
  ReplInput input = typed({"if x:", "    pass", ""});
  EXPECT_EQ(input.take(), "if x:\n    pass\n\n");
  EXPECT_TRUE(input.empty());
}

TEST(NameAtEnd, IsTheDottedNameBeingTyped) {
  EXPECT_EQ(name_at_end("print(os.li"), "os.li");
  EXPECT_EQ(name_at_end("x = mach"), "mach");
  EXPECT_EQ(name_at_end("a.b."), "a.b.");
  EXPECT_EQ(name_at_end("f("), "");
  EXPECT_EQ(name_at_end(""), "");
}

TEST(ReplInput, LinesThatCameTogether_AreComplete) {
  ReplInput input;
  input.add("if x:\n    print(x)");
  EXPECT_TRUE(input.complete());
  EXPECT_EQ(input.take(), "if x:\n    print(x)\n");
  input.add("if x:");
  EXPECT_FALSE(input.complete());
  input.take();
  input.add("f(\n  1,");
  EXPECT_FALSE(input.complete());
}

}  // namespace
}  // namespace mqboard::cli
