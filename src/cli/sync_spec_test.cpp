#include "cli/sync_spec.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace mqboard::cli {
namespace {

using Blocks = std::vector<SyncBlock>;

TEST(SyncSpec, OriginalsExample_IsUnderstood) {
  const auto blocks = parse_sync_spec(
      "#! /usr/bin/env ../mqboard/mqsync\n"
      "/lib:\n"
      "  ./mpy-lib: sntp.py sysinfo.py\n"
      "  ../mqtt_async/mqtt_async.py   # a comment\n"
      "\n"
      "/:\n"
      "\tboard_config.py\n"
      "  conf: config_tmpl.py->config.py\n"
      "/: --check-only\n"
      "  ../board/boot.py\n",
      "spec");
  ASSERT_TRUE(blocks) << blocks.error().message;
  EXPECT_EQ(
      *blocks,
      (Blocks{
          {"/lib",
           false,
           false,
           {{"./mpy-lib/sntp.py", ""}, {"./mpy-lib/sysinfo.py", ""}, {"../mqtt_async/mqtt_async.py", ""}}},
          {"/", false, false, {{"board_config.py", ""}, {"conf/config_tmpl.py", "config.py"}}},
          {"/", true, false, {{"../board/boot.py", ""}}}}));
}

TEST(SyncSpec, Options_BelongToTheirBlock) {
  const auto blocks = parse_sync_spec("/a: --no-update\n x\n/b:\n y\n", "spec");
  ASSERT_TRUE(blocks);
  EXPECT_TRUE((*blocks)[0].no_update);
  EXPECT_FALSE((*blocks)[1].no_update);
}

TEST(SyncSpec, Mistakes_AreReportedWithFileAndLine) {
  const std::pair<const char*, const char*> cases[] = {
      {" x\n", "spec:1: files before"},
      {"\n/lib\n", "spec:2: a target directory"},
      {"/lib: --loud\n", "spec:1: unknown option --loud"},
      {"/lib:\n src:\n", "spec:2: source files"},
      {"/lib:\n *.py->x\n", "spec:2: '*.py->x': no wildcards"},
      {"/lib:\n a->\n", "spec:2: 'a->': a name"}};
  for (const auto& [text, message] : cases) {
    const auto blocks = parse_sync_spec(text, "spec");
    ASSERT_FALSE(blocks) << text;
    EXPECT_TRUE(blocks.error().message.starts_with(message)) << blocks.error().message;
    EXPECT_EQ(blocks.error().status, ExitStatus::usage);
  }
}

TEST(SyncSpec, Wildcards_MatchFilesHereInOrderAndNoDirectories) {
  std::string directory = ::testing::TempDir() + "mqb-spec-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  for (const char* name : {"b.py", "a.py", "c.txt"}) std::ofstream(directory + "/" + name).flush();
  std::filesystem::create_directory(directory + "/d.py");
  const auto files = expand({{directory + "/*.py", ""}, {"x/y.py", ""}, {"x/z", "new"}});
  const auto nothing = expand({{directory + "/*.mpy", ""}});
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(files);
  EXPECT_EQ(
      *files,
      (std::vector<SyncFile>{
          {directory + "/a.py", "a.py"}, {directory + "/b.py", "b.py"}, {"x/y.py", "y.py"}, {"x/z", "new"}}));
  EXPECT_FALSE(nothing);
}

}  // namespace
}  // namespace mqboard::cli
