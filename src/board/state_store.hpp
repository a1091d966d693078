// What a board remembers outside its flash, in the directory board.state: who it is, the last configuration
// that worked, log levels set by an operator. Every file is replaced atomically; one that cannot be read
// counts as absent. What cannot be written counts all the same, and is owed: tick() writes it once that is
// possible again.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "board/config.hpp"
#include "core/base/file_system.hpp"
#include "core/base/time.hpp"

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

  // Writes what is owed, every kRetry at most, and reports when that fails and when it works again. Call it
  // often.
  static constexpr Millis kRetry{5'000};
  void tick(TimePoint now, const std::function<void(int level, std::string_view)>& report);

  [[nodiscard]] FileSystem& files() { return *files_; }

 private:
  explicit StateStore(std::unique_ptr<FileSystem> files) : files_(std::move(files)) {}
  [[nodiscard]] std::optional<std::string> read(std::string_view name);
  void write(std::string_view name, std::string content);
  std::optional<FsError> write_owed();  // why not all of it
  [[nodiscard]] std::uint32_t number(std::string_view name);
  void set_number(std::string_view name, std::uint32_t value);

  std::unique_ptr<FileSystem> files_;
  std::map<std::string, std::string, std::less<>> owed_;
  bool in_trouble_ = false;  // and that was reported
  TimePoint tried_at_{};
};

// Makes `directory` unless it is there; false when that fails, errno says why.
bool make_directory(const std::filesystem::path& directory, unsigned mode);

}  // namespace mqboard::board
