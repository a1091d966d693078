#include "board/state_store.hpp"

#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>

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
  const auto info = files_->stat(name);
  if (!info || info->size_bytes > kLargest) return std::nullopt;
  std::string content(info->size_bytes, '\0');
  const auto got =
      read_file(*files_, name, {reinterpret_cast<std::uint8_t*>(content.data()), content.size()});
  if (!got) return std::nullopt;
  content.resize(got->size());
  return content;
}

std::string StateStore::unique_id() {
  if (const auto known = read("unique_id"); known && is_id(known->substr(0, 12))) return known->substr(0, 12);
  std::uint8_t random[6] = {};
  static_cast<void>(::getrandom(random, sizeof random, 0));
  random[0] = static_cast<std::uint8_t>((random[0] & 0xfc) | 0x02);  // as a locally administered MAC address
  std::string id;
  for (const std::uint8_t byte : random) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  static_cast<void>(replace_file(*files_, "unique_id", as_bytes(id + "\n")));
  return id;
}

std::uint32_t StateStore::number(std::string_view name) {
  const auto known = read(name);
  std::string_view text;
  if (known) text = *known;
  return parse<std::uint32_t>(cut(text, '\n')).value_or(0);
}

void StateStore::set_number(std::string_view name, std::uint32_t value) {
  static_cast<void>(replace_file(*files_, name, as_bytes(concat(value, "\n"))));
}

void StateStore::save_good_config(const ConfigSource& source) {
  // "<bytes of board.toml>\n", board.toml, secrets.toml
  const std::string content = concat(source.board.size(), "\n", source.board, source.secrets);
  if (read(kGoodConfig) == content) return;
  static_cast<void>(replace_file(*files_, kGoodConfig, as_bytes(content)));
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
  static_cast<void>(replace_file(*files_, "log_levels", as_bytes(content)));
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
