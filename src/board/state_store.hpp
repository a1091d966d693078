// What a board remembers outside its flash, in the directory board.state: who it is, the last configuration
// that worked, log levels set by an operator. Every file is replaced atomically; one that cannot be read
// counts as absent.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "board/config.hpp"
#include "core/base/file_system.hpp"

namespace mqboard::board {

class StateStore {
 public:
  // Makes the directory, readable by its owner only. Fails with one line naming it.
  static std::expected<StateStore, std::string> open(const std::filesystem::path& directory);

  // 12 hexadecimal digits: made up at the first start, the same from then on.
  std::string unique_id();

  // The last crash report that was announced; 0: none.
  std::uint32_t announced_crash() { return number("crash_announced"); }
  void set_announced_crash(std::uint32_t id) { set_number("crash_announced", id); }

  // The configuration that has worked, secrets included.
  void save_good_config(const ConfigSource& source);
  [[nodiscard]] std::optional<ConfigSource> good_config();

  using Levels = std::vector<std::pair<std::string, int>>;
  void save_levels(const Levels& levels);
  [[nodiscard]] Levels levels();

  [[nodiscard]] FileSystem& files() { return *files_; }

 private:
  explicit StateStore(std::unique_ptr<FileSystem> files) : files_(std::move(files)) {}
  [[nodiscard]] std::optional<std::string> read(std::string_view name);
  [[nodiscard]] std::uint32_t number(std::string_view name);
  void set_number(std::string_view name, std::uint32_t value);

  std::unique_ptr<FileSystem> files_;
};

// Makes `directory` unless it is there; false when that fails, errno says why.
bool make_directory(const std::filesystem::path& directory, unsigned mode);

}  // namespace mqboard::board
