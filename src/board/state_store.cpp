#include "board/state_store.hpp"

#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "board/log_levels.hpp"
#include "board/text.hpp"
#include "core/base/replace_file.hpp"
#include "port/linux/flash.hpp"

namespace mqboard::board {
namespace {

constexpr std::size_t kLargest = 2 * 1024 * 1024;
constexpr std::string_view kGoodConfig = "good_config";

bool is_id(std::string_view text) {
  return text.size() == 12 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

template<class Number>
std::optional<Number> parse(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Cuts off and returns what stands before the first `end`.
std::string_view cut(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

}  // namespace

bool make_directory(const std::filesystem::path& directory, unsigned mode) {
  return ::mkdir(directory.c_str(), static_cast<mode_t>(mode)) == 0 || errno == EEXIST;
}

std::expected<StateStore, std::string> StateStore::open(const std::filesystem::path& directory) {
  const std::string shown = directory.string();
  if (!make_directory(directory, 0700))
    return std::unexpected(concat("board.state: ", shown, ": ", std::strerror(errno)));
  auto files = port::LinuxFlash::open_root(shown);
  if (!files) return std::unexpected(concat("board.state: ", shown, ": ", describe(files.error())));
  return StateStore(std::move(*files));
}

std::optional<std::string> StateStore::read(std::string_view name) {
  if (const auto owed = owed_.find(name); owed != owed_.end()) return owed->second;
  const auto info = files_->stat(name);
  if (!info || info->size_bytes > kLargest) return std::nullopt;
  std::string content(info->size_bytes, '\0');
  const auto got =
      read_file(*files_, name, {reinterpret_cast<std::uint8_t*>(content.data()), content.size()});
  if (!got) return std::nullopt;
  content.resize(got->size());
  return content;
}

void StateStore::write(std::string_view name, std::string content) {
  owed_.insert_or_assign(std::string(name), std::move(content));
  static_cast<void>(write_owed());
}

std::optional<FsError> StateStore::write_owed() {
  while (!owed_.empty()) {
    const auto& [name, content] = *owed_.begin();
    if (const auto written = replace_file(*files_, name, as_bytes(content)); !written) return written.error();
    owed_.erase(owed_.begin());
  }
  return std::nullopt;
}

void StateStore::tick(TimePoint now, const std::function<void(int, std::string_view)>& report) {
  if ((owed_.empty() && !in_trouble_) || now - tried_at_ < kRetry) return;
  tried_at_ = now;
  const auto trouble = write_owed();
  if (trouble && !in_trouble_) {
    report(kError, concat("board.state cannot be written: ", describe(*trouble), ": tried until it can"));
  } else if (!trouble && in_trouble_) {
    report(kWarning, "board.state is written again");
  }
  in_trouble_ = trouble.has_value();
}

std::string StateStore::unique_id() {
  const auto known = read("unique_id");
  if (known && is_id(known->substr(0, 12))) return known->substr(0, 12);
  std::uint8_t random[6] = {};
  static_cast<void>(::getrandom(random, sizeof random, 0));
  random[0] = static_cast<std::uint8_t>((random[0] & 0xfc) | 0x02);  // as a locally administered MAC address
  std::string id;
  for (const std::uint8_t byte : random) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  const auto there = files_->stat("unique_id");
  const bool missing = !there && there.error() == FsError::not_found;
  // One that cannot be read just now is the board's still.
  if (known || missing) write("unique_id", id + "\n");
  return id;
}

std::uint32_t StateStore::number(std::string_view name) {
  const auto known = read(name);
  std::string_view text;
  if (known) text = *known;
  return parse<std::uint32_t>(cut(text, '\n')).value_or(0);
}

void StateStore::set_number(std::string_view name, std::uint32_t value) { write(name, concat(value, "\n")); }

void StateStore::save_good_config(const ConfigSource& source) {
  // "<bytes of board.toml>\n", board.toml, secrets.toml
  std::string content = concat(source.board.size(), "\n", source.board, source.secrets);
  if (read(kGoodConfig) != content) write(kGoodConfig, std::move(content));
}

std::optional<ConfigSource> StateStore::good_config() {
  const auto content = read(kGoodConfig);
  if (!content) return std::nullopt;
  std::string_view rest = *content;
  const auto board_bytes = parse<std::size_t>(cut(rest, '\n'));
  if (!board_bytes || *board_bytes > rest.size()) return std::nullopt;
  ConfigSource source;
  source.board = rest.substr(0, *board_bytes);
  source.secrets = rest.substr(*board_bytes);
  source.board_name = "last good board.toml";
  source.secrets_name = "last good secrets.toml";
  return source;
}

void StateStore::save_levels(const Levels& levels) {
  std::string content;
  for (const auto& [logger, level] : levels) content += concat(level, " ", logger, "\n");
  write("log_levels", std::move(content));
}

StateStore::Levels StateStore::levels() {
  Levels levels;
  const auto content = read("log_levels");
  std::string_view rest;
  if (content) rest = *content;
  while (!rest.empty()) {
    std::string_view line = cut(rest, '\n');
    const auto level = parse<int>(cut(line, ' '));
    if (level && *level >= 10 && *level <= 50) levels.emplace_back(line, *level);
  }
  return levels;
}

}  // namespace mqboard::board
