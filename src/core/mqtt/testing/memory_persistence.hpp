// Test support: a persistence in memory with an explicit commit, as a process kill sees it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "core/mqtt/persistence.hpp"

namespace mqboard::mqtt::testing {

class MemoryPersistence final : public Persistence {
 public:
  using Records = std::map<RecordKey, std::shared_ptr<std::vector<std::uint8_t>>>;

  bool put(RecordKey key, std::span<const Bytes> value) override {
    if (failing) return refused.insert(key), false;
    refused.erase(key);
    auto bytes = std::make_shared<std::vector<std::uint8_t>>();
    for (const Bytes piece : value) bytes->insert(bytes->end(), piece.begin(), piece.end());
    records[key] = std::move(bytes);
    return true;
  }
  bool erase(RecordKey key) override {
    if (failing) return false;
    records.erase(key);
    return true;
  }
  bool load(Visitor& visitor) override {
    for (const auto& [key, value] : records) {
      if (!visitor.record(key, *value)) return false;
    }
    return true;
  }
  void commit() { committed = records; }
  void crash() {
    records = committed;
    refused.clear();
  }

  Records records;
  Records committed;
  std::set<RecordKey> refused;  // not there, though put() was asked to have it
  bool failing = false;
};

}  // namespace mqboard::mqtt::testing
