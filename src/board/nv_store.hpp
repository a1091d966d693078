// Values by name that an application keeps across resets and power cuts (esp32.NVS): one file on flash,
// replaced as a whole by commit().
//
// The file: "MQBNVS1\n", then per value u8 length and text of the namespace, u8 length and text of the key,
// u8 kind (1: i32, 2: blob), u16 length and bytes (i32: 4, big endian); at the end the CRC-32 of all that. A
// file that breaks this is taken for empty, and damaged() says so. One that cannot be read now is not: until
// it can nothing is found and nothing set, so that what is in it is not overwritten.
//
// Not thread-safe. The file is read at first use.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/file_system.hpp"

namespace mqboard::board {

class NvStore {
 public:
  static constexpr std::size_t kMaxName = 15;  // of a namespace, of a key; 1 at least
  static constexpr std::size_t kMaxBlob = 4000;
  static constexpr std::size_t kMaxFile = 64 * 1024;

  using Item = std::variant<std::int32_t, std::vector<std::uint8_t>>;

  explicit NvStore(FileSystem& files, std::string directory = "/.mqb")
      : files_(files), directory_(std::move(directory)), path_(directory_ + "/nvs") {}

  [[nodiscard]] std::optional<Item> get(std::string_view space, std::string_view key);
  // Fails with invalid for a name or blob beyond the limits, no_space when the file would be.
  FsResult<void> set(std::string_view space, std::string_view key, Item item);
  bool erase(std::string_view space, std::string_view key);  // false: there was none
  // Writes everything set and erased so far. When it fails, what was committed before is still there.
  FsResult<void> commit();
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  using Name = std::pair<std::string, std::string>;

  FsResult<void> load();
  bool parse(Bytes file);
  [[nodiscard]] static std::size_t size_of(const Name& name, const Item& item);

  FileSystem& files_;
  const std::string directory_, path_;
  std::map<Name, Item> items_;
  std::size_t bytes_ = 0;  // of the items in the file
  bool loaded_ = false;
  bool changed_ = false;
  bool damaged_ = false;
};

}  // namespace mqboard::board
