// The board's log between those who write it and the broker: levels, secrets, and the two buffers of the
// original. Until the first connection the boot buffer (its size and level) keeps what is logged; from then
// on the loop buffer. The boot records are delivered first, and none is given up for being more than the loop
// buffer holds.
//
// Used by one thread, or under the owner's lock. No allocation; memory is borrowed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/log/ring.hpp"

namespace mqboard::log {

// Which records of a logger are wanted. A name without an entry has the level of the longest beginning up to
// a dot that has one ("a.b.c": of "a.b", then of "a"), else the default level.
class Levels {
 public:
  static constexpr std::size_t kMaxLoggers = 32;

  explicit Levels(Level standard = Level::info) : standard_(standard) {}

  // Level::not_set forgets the entry; an empty name sets the default. False: the table is full, or the name
  // too long.
  bool set(std::string_view logger, Level level);
  [[nodiscard]] Level of(std::string_view logger) const;

  struct Entry {
    std::string_view logger;
    Level level;
  };
  // The entries, by index from 0, for listing and saving; nothing beyond the last.
  [[nodiscard]] std::optional<Entry> entry(std::size_t index) const;

 private:
  struct Named {
    std::array<char, kMaxLogger> name{};
    std::uint8_t length = 0;
    Level level = Level::not_set;
    [[nodiscard]] std::string_view view() const { return {name.data(), length}; }
  };
  [[nodiscard]] const Named* find(std::string_view logger) const;

  std::array<Named, kMaxLoggers> named_{};
  std::size_t count_ = 0;
  Level standard_;
};

// Passwords and keys that must not appear in the log: each occurrence becomes "***".
class Secrets {
 public:
  static constexpr std::size_t kMax = 16;
  static constexpr std::size_t kLeastBytes = 4;  // shorter ones would blacken ordinary words

  // Borrows `secret`. False: full or too short; the owner should complain.
  bool add(std::string_view secret);
  // `text` with secrets replaced, in `into`, cut where that is full. A secret is never cut in two.
  [[nodiscard]] std::string_view redact(std::string_view text, MutableBytes into) const;
  // How much of `text` may be parted from the rest, and from what follows it, without cutting a secret in
  // two.
  [[nodiscard]] std::size_t separable(std::string_view text) const;

 private:
  std::array<std::string_view, kMax> secrets_{};
  std::size_t count_ = 0;
};

struct BufferConfig {
  std::size_t boot_bytes = 16'384;
  std::size_t loop_bytes = 8'192;
  Level boot_level = Level::debug;
  Level loop_level = Level::debug;
};

class LogBuffer {
 public:
  // `memory`: at least the larger of the two sizes. What is in it is forgotten.
  LogBuffer(MutableBytes memory, const BufferConfig& config);

  Levels& levels() { return levels_; }
  Secrets& secrets() { return secrets_; }
  [[nodiscard]] const Secrets& secrets() const { return secrets_; }
  // New sizes and levels, e.g. once board.toml was read; sizes beyond the memory's are cut to it.
  void configure(const BufferConfig& config);

  // Whether a record would be kept as far as levels go: spare the formatting otherwise.
  [[nodiscard]] bool enabled(std::string_view logger, Level level) const;
  // Stores the text, a record per line; empty lines at its end are left out.
  void write(const Record& record) {
    if (enabled(record.logger, record.level)) keep(record);
  }
  // The same whatever the logger's level: whoever logs has decided that the record is wanted.
  void keep(const Record& record);

  // The first call ends the boot phase.
  void connected();

  // Delivery, as in Ring. The owner publishes what it takes and acknowledges in order.
  [[nodiscard]] std::optional<Ring::Entry> take() { return ring_.take(); }
  void acknowledge(std::uint32_t sequence);
  void rewind() { ring_.rewind(); }

  [[nodiscard]] const Ring& ring() const { return ring_; }

 private:
  // What is less severe is not kept at present, whoever logs it.
  [[nodiscard]] Level least() const { return connected_ ? config_.loop_level : config_.boot_level; }
  void apply_limit();

  Ring ring_;
  BufferConfig config_;
  Levels levels_;
  Secrets secrets_;
  bool connected_ = false;
  std::uint32_t last_boot_record_ = 0;
};

}  // namespace mqboard::log
