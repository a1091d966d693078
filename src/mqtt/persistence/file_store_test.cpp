#include "mqtt/persistence/file_store.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "mqtt/testing/file_size_limit.hpp"
#include "mqtt/testing/mosquitto.hpp"

namespace mqboard::mqtt {
namespace {

using Kind = RecordKey::Kind;
using Records = std::map<std::pair<int, int>, std::string>;

struct Collector final : Persistence::Visitor {
  bool record(RecordKey key, Bytes value) override {
    records[{static_cast<int>(key.kind), key.packet_id}] = as_text(value);
    return true;
  }
  Records records;
};

Records records_of(FileStore& store) {
  Collector collector;
  EXPECT_TRUE(store.load(collector));
  return collector.records;
}

bool put(FileStore& store, Kind kind, std::uint16_t id, std::string_view value) {
  const Bytes parts[] = {as_bytes(value.substr(0, value.size() / 2)),
                         as_bytes(value.substr(value.size() / 2))};
  return store.put({kind, id}, parts);
}

class FileStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileStore> open() {
    auto store = FileStore::open(path);
    EXPECT_TRUE(store) << store.error().message();
    return store ? std::move(*store) : nullptr;
  }
  std::string content() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void overwrite(std::string_view bytes) const { std::ofstream(path, std::ios::binary) << bytes; }

  testing::TemporaryFolder folder;
  std::string path = folder / "session";
};

TEST_F(FileStoreTest, CommittedRecordsAreThereAgain) {
  {
    const auto store = open();
    EXPECT_TRUE(put(*store, Kind::outgoing, 1, "one"));
    EXPECT_TRUE(put(*store, Kind::outgoing, 2, "two"));
    EXPECT_TRUE(put(*store, Kind::inbound, 1, ""));
    EXPECT_TRUE(put(*store, Kind::outgoing, 2, "two, changed"));
    EXPECT_TRUE(store->erase({Kind::outgoing, 1}));
    EXPECT_TRUE(store->erase({Kind::outgoing, 77}));
    EXPECT_TRUE(store->commit());
  }
  EXPECT_EQ(records_of(*open()), (Records{{{1, 2}, "two, changed"}, {{2, 1}, ""}}));
}

TEST_F(FileStoreTest, CutAtAnyByteLeavesAnEarlierState) {
  std::vector<Records> states{{}};
  std::vector<std::size_t> sizes;
  {
    const auto store = open();
    sizes.push_back(content().size());
    for (std::uint16_t i = 1; i <= 5; ++i) {
      put(*store, Kind::outgoing, i, "value " + std::to_string(i));
      store->commit();
      states.push_back(records_of(*store));
      sizes.push_back(content().size());
    }
  }
  const std::string whole = content();
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    overwrite(whole.substr(0, cut));
    std::size_t state = 0;
    while (state + 1 < sizes.size() && sizes[state + 1] <= cut) ++state;
    EXPECT_EQ(records_of(*open()), states[state]) << "cut at " << cut;
  }
}

TEST_F(FileStoreTest, DamagedEntryEndsTheReplay) {
  {
    const auto store = open();
    put(*store, Kind::outgoing, 1, "first");
    put(*store, Kind::outgoing, 2, "second");
  }
  std::string bytes = content();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  overwrite(bytes);
  EXPECT_EQ(records_of(*open()), (Records{{{1, 1}, "first"}}));
}

TEST_F(FileStoreTest, LongUseKeepsTheFileSmallAndTheRecordsRight) {
  const std::string value(1'000, 'v');
  {
    const auto store = open();
    for (int i = 0; i < 5'000; ++i) {
      const auto id = static_cast<std::uint16_t>(i % 20 + 1);
      ASSERT_TRUE(put(*store, Kind::outgoing, id, value + std::to_string(i)));
      ASSERT_TRUE(i % 3 != 0 || store->erase({Kind::outgoing, id}));
      ASSERT_TRUE(i % 50 != 0 || store->commit());
      ASSERT_LT(std::filesystem::file_size(path), 400'000U);
    }
    ASSERT_TRUE(store->commit());
  }
  const auto records = records_of(*open());
  for (const auto& [key, text] : records) EXPECT_EQ(std::stoi(text.substr(1'000)) % 20 + 1, key.second);
  EXPECT_FALSE(records.empty());
}

TEST_F(FileStoreTest, FileSystemThatRecoversIsUsedAgain) {
  {
    const auto store = open();
    EXPECT_TRUE(put(*store, Kind::outgoing, 1, "acknowledged meanwhile"));
    EXPECT_TRUE(put(*store, Kind::outgoing, 2, "waits"));
    EXPECT_TRUE(store->commit());
    {
      const testing::FileSizeLimit full(std::filesystem::file_size(path) + 5);
      EXPECT_TRUE(put(*store, Kind::outgoing, 3, "not acknowledged to anybody"));
      EXPECT_FALSE(store->commit());
      EXPECT_FALSE(put(*store, Kind::outgoing, 4, std::string(500, 'x')))
          << "not accepted, as it cannot be kept";
      EXPECT_TRUE(store->erase({Kind::outgoing, 1}));
      EXPECT_FALSE(std::filesystem::exists(path + ".new")) << "takes no room from others";
    }
    EXPECT_TRUE(store->commit()) << "what was erased meanwhile makes the file smaller";
    EXPECT_TRUE(put(*store, Kind::outgoing, 4, "later"));
    EXPECT_TRUE(store->commit());
  }
  EXPECT_EQ(records_of(*open()),
            (Records{{{1, 2}, "waits"}, {{1, 3}, "not acknowledged to anybody"}, {{1, 4}, "later"}}));
}

TEST_F(FileStoreTest, ForeignFileIsNotTouched) {
  overwrite("these are somebody's notes");
  const auto store = FileStore::open(path);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message(), path + ": not a session file");
  EXPECT_EQ(content(), "these are somebody's notes");
}

TEST_F(FileStoreTest, SecondClientIsKeptOut) {
  const auto first = open();
  const auto second = FileStore::open(path);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error() == Errc::storage_failed);
  EXPECT_NE(second.error().message().find("in use"), std::string::npos);
}

TEST_F(FileStoreTest, MissingFolderIsNamed) {
  const auto store = FileStore::open(folder / "nowhere/session");
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message().find("nowhere/session: cannot open the session file: No such file"),
            std::string::npos);
}

}  // namespace
}  // namespace mqboard::mqtt
