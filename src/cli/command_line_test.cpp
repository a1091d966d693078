#include "cli/command_line.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "cli/command_docs.hpp"

namespace mqboard::cli {
namespace {

std::expected<Invocation, EarlyEnd> parse(std::vector<const char*> arguments, const char* name = "mqboard") {
  arguments.insert(arguments.begin(), name);
  return parse_command_line(arguments);
}

template<class Verb>
Verb verb(std::vector<const char*> arguments, const char* name = "mqboard") {
  auto parsed = parse(std::move(arguments), name);
  EXPECT_TRUE(parsed) << parsed.error().text;
  const auto* const command = parsed ? std::get_if<Command>(&parsed->command) : nullptr;
  const auto* const found = command != nullptr ? std::get_if<Verb>(command) : nullptr;
  EXPECT_NE(found, nullptr) << "another verb";
  return found != nullptr ? *found : Verb{};
}

TEST(CommandLine, Options_MayStandBeforeAndAfterTheVerb) {
  const auto parsed = parse({"-s", "one", "ls", "--prefix", "a/b", "-r", "/lib", "-T", "3"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->options.get(Key::server), "one");
  EXPECT_EQ(parsed->options.get(Key::prefix), "a/b");
  EXPECT_EQ(parsed->options.get(Key::timeout), "3");
  const auto& ls = std::get<Ls>(std::get<Command>(parsed->command));
  EXPECT_TRUE(ls.recursive);
  EXPECT_EQ(ls.paths, std::vector<std::string>{"/lib"});
}

TEST(CommandLine, EverySettingHasItsOption) {
  for (const KeyInfo& row : key_table()) {
    std::string option(row.option);
    option = option.substr(option.find("--"));
    option = option.substr(0, option.find(','));
    std::vector<const char*> arguments{option.c_str()};
    if (!row.argument.empty()) arguments.push_back("value");
    arguments.push_back("info");
    const auto parsed = parse(arguments);
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_TRUE(parsed->options.get(row.key)) << option;
  }
}

TEST(CommandLine, Switches_CanBeTurnedOff) {
  EXPECT_EQ(parse({"--tls", "info"})->options.get(Key::tls), "true");
  EXPECT_EQ(parse({"--no-tls", "info"})->options.get(Key::tls), "false");
  EXPECT_EQ(parse({"-vv", "info"})->options.get(Key::verbose), "2");
}

// The one line a wrong call is answered with.
std::string complaint(std::vector<const char*> arguments) {
  const auto parsed = parse(std::move(arguments));
  EXPECT_FALSE(parsed);
  if (parsed) return {};
  EXPECT_EQ(parsed.error().status, 2);
  return parsed.error().text;
}

TEST(CommandLine, WrongCalls_AreToldWhatIsWrong) {
  EXPECT_EQ(complaint({}), "mqboard: no verb given; see `mqboard --help`\n");
  EXPECT_EQ(complaint({"ota"}), "mqboard: no verb given; see `mqboard ota --help`\n");
  EXPECT_EQ(complaint({"lss"}), "mqboard: 'lss' is no verb (did you mean 'ls'?); see `mqboard --help`\n");
  EXPECT_EQ(complaint({"ota", "instal"}),
            "mqboard: 'ota instal' is no verb (did you mean 'ota install'?); see `mqboard ota --help`\n");
  EXPECT_EQ(complaint({"frobnicate"}), "mqboard: 'frobnicate' is no verb; see `mqboard --help`\n");
  EXPECT_EQ(complaint({"-V"}), "mqboard: unknown option -V; see `mqboard --help`\n");
  EXPECT_EQ(complaint({"ls", "--bogus"}), "mqboard: unknown option --bogus; see `mqboard ls --help`\n");
  EXPECT_EQ(complaint({"get"}), "mqboard: REMOTE is required; see `mqboard get --help`\n");
  EXPECT_EQ(complaint({"get", "a", "b", "c"}),
            "mqboard: 'c' is one argument too many; see `mqboard get --help`\n");
  EXPECT_EQ(complaint({"view", "-n", "x"}),
            "mqboard: --count: 'x' is no number; see `mqboard view --help`\n");
}

TEST(CommandLine, HelpIsAlsoAVerb) {
  const auto all = parse({"help"});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().text, help_overview());
  const auto one = parse({"help", "ota", "install"});
  ASSERT_FALSE(one);
  EXPECT_EQ(one.error().status, 0);
  EXPECT_TRUE(one.error().text.starts_with("mqboard ota install:")) << one.error().text;
}

TEST(CommandLine, OptionGivenTwice_TheLastCounts) {
  EXPECT_EQ(parse({"-s", "a", "-s", "b", "info"})->options.get(Key::server), "b");
}

TEST(CommandLine, FilesNamedLikeVerbs_AreFiles) {
  EXPECT_EQ(verb<Cat>({"cat", "ls", "eval"}).files, (std::vector<std::string>{"ls", "eval"}));
  EXPECT_EQ(verb<Eval>({"eval", "get"}).source, "get");
}

TEST(CommandLine, ShortOptionsOfAVerb_WinOverGlobalOnes) {
  const auto parsed = parse({"-p", "1884", "mkdir", "-p", "/a"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->options.get(Key::port), "1884");
  EXPECT_TRUE(std::get<Mkdir>(std::get<Command>(parsed->command)).parents);
}

TEST(CommandLine, Eval_TakesAnySourceAfterADoubleDash) {
  EXPECT_EQ(verb<Eval>({"eval", "--", "-1"}).source, "-1");
  EXPECT_EQ(verb<Eval>({"eval", "[1, 2]"}).source, "[1, 2]");
  EXPECT_EQ(verb<Eval>({"eval", "a = 1\nprint(a)"}).source, "a = 1\nprint(a)");
  EXPECT_EQ(verb<Eval>({"eval", "{'a': 1}"}).source, "{'a': 1}");
  EXPECT_EQ(verb<Eval>({"eval", "-"}).source, "-");
  EXPECT_EQ(verb<Eval>({"eval", ""}).source, "");
}

TEST(CommandLine, GetAndPut_TakeOneOrTwoNames) {
  EXPECT_EQ(verb<Get>({"get", "/a"}).local, "");
  EXPECT_EQ(verb<Get>({"get", "/a", "-"}).local, "-");
  EXPECT_EQ(verb<Put>({"put", "-", "/a"}).local, "-");
}

TEST(CommandLine, View_CountIsANumber) {
  EXPECT_EQ(verb<View>({"view", "-n", "3", "--json"}).count, 3U);
  EXPECT_FALSE(parse({"view", "-n", "x"}));
}

TEST(CommandLine, Mqview_IsTheViewVerb) { EXPECT_EQ(verb<View>({"-n", "1"}, "/usr/bin/mqview").count, 1U); }

TEST(CommandLine, Mistakes_EndWithStatus2AndOneLine) {
  const std::vector<std::vector<const char*>> cases{
      {},      {"nosuchverb"}, {"eval"}, {"eval", "1", "2"}, {"--nosuch", "eval", "1"}, {"ls", "--nosuch"},
      {"get"}, {"-s"},         {"rm"}};
  for (const auto& arguments : cases) {
    const auto parsed = parse(arguments);
    ASSERT_FALSE(parsed) << (arguments.empty() ? "nothing" : arguments.front());
    EXPECT_EQ(parsed.error().status, 2);
    EXPECT_EQ(std::count(parsed.error().text.begin(), parsed.error().text.end(), '\n'), 1)
        << parsed.error().text;
    EXPECT_TRUE(parsed.error().text.starts_with("mqboard: ")) << parsed.error().text;
  }
}

TEST(CommandLine, Help_IsForStandardOutputAndNamesWhatItShould) {
  const auto help = parse({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().status, 0);
  for (const KeyInfo& row : key_table()) {
    EXPECT_NE(help.error().text.find(row.environment), std::string::npos) << row.environment;
  }
  const auto verb_help = parse({"ls", "--help"});
  ASSERT_FALSE(verb_help);
  EXPECT_EQ(verb_help.error().status, 0);
  EXPECT_NE(verb_help.error().text.find("--recursive"), std::string::npos);
  EXPECT_NE(verb_help.error().text.find("mqboard ls -r -l --sha /lib"), std::string::npos);
}

TEST(CommandLine, NestedVerbs_AreParsedAndNamedInErrors) {
  const auto install = verb<OtaInstall>({"ota", "install", "--wait", "image.bin"});
  EXPECT_EQ(install.image, "image.bin");
  EXPECT_TRUE(install.wait);
  const auto wrong = parse({"crash", "get"});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text.find("mqboard crash get --help"), std::string::npos) << wrong.error().text;
  EXPECT_FALSE(parse({"ota"}));
}

TEST(CommandLine, LocalVerbs_KeepTheOptionsForTheProfile) {
  const auto parsed = parse({"board", "add", "kitchen", "--prefix", "esp32/kitchen"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(std::get<BoardAdd>(std::get<LocalCommand>(parsed->command)).name, "kitchen");
  EXPECT_EQ(parsed->options.get(Key::prefix), "esp32/kitchen");
}

TEST(CommandDocs, EveryVerbHasHelpAManualEntryAndCompletion) {
  const std::string manual = manual_page();
  const std::string bash = completion_script("bash").value();
  for (const VerbInfo& info : verb_table()) {
    const std::string help = help_of(info);
    EXPECT_NE(help.find(info.summary), std::string::npos) << info.name;
    EXPECT_NE(help.find("Usage: mqboard " + std::string(info.name)), std::string::npos);
    EXPECT_NE(bash.find("'" + std::string(info.name) + "')"), std::string::npos) << info.name;
  }
  EXPECT_NE(manual.find(".SS mqboard ls"), std::string::npos);
  EXPECT_FALSE(completion_script("csh"));
}

TEST(CommandLine, Version) {
  const auto version = parse({"--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().status, 0);
  EXPECT_TRUE(version.error().text.starts_with("mqboard "));
}

}  // namespace
}  // namespace mqboard::cli
