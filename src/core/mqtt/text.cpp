#include "core/mqtt/text.hpp"

#include <cstring>

#include <mqboard/mqtt/types.hpp>

#include "core/base/utf8.hpp"

namespace mqboard::mqtt {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

std::uint64_t load(const std::uint8_t* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Nonzero when a byte of the word is 0 or has its high bit set: a borrow can only come from a zero byte
// below.
constexpr std::uint64_t unusual(std::uint64_t word) { return (word | (word - kOnes)) & kHighs; }

// Nonzero when a byte of the word, all of them 0x01..0x7F, equals `letter`.
constexpr std::uint64_t holds(std::uint64_t word, char letter) {
  const std::uint64_t difference = word ^ (kOnes * static_cast<std::uint8_t>(letter));
  return (difference - kOnes) & ~difference & kHighs;
}

// Whether the whole text is made of 0x01..0x7F and, with `no_wildcards`, free of wildcards: looked at eight
// bytes at a time, the last ones twice. Almost every topic is; false says nothing.
bool is_plain(Bytes text, bool no_wildcards) {
  if (text.size() < 8) return false;
  std::uint64_t bad = 0;
  const auto look = [&](std::size_t at) {
    const std::uint64_t word = load(text.data() + at);
    bad |= unusual(word);
    if (no_wildcards) bad |= holds(word, '+') | holds(word, '#');
  };
  for (std::size_t at = 0; at + 8 < text.size(); at += 8) look(at);
  look(text.size() - 8);
  return bad == 0;
}

constexpr std::string_view kSharePrefix = "$share/";

// Takes the first level off `rest`; `rest` becomes empty and `last` true with the last one.
std::string_view take_level(std::string_view& rest, bool& last) {
  const std::size_t slash = rest.find('/');
  last = slash == std::string_view::npos;
  const std::string_view level = rest.substr(0, slash);
  rest.remove_prefix(last ? rest.size() : slash + 1);
  return level;
}

bool is_filter_text(std::string_view filter) {
  if (filter.empty()) return false;
  for (bool last = false; !last;) {
    const std::string_view level = take_level(filter, last);
    if (level.size() > 1 && level.find_first_of("+#") != std::string_view::npos) return false;
    if (level == "#" && !last) return false;
  }
  return true;
}

}  // namespace

Violation check_text(Bytes text) {
  if (is_plain(text, false) || text.empty()) return Violation::none;
  if (!is_utf8(text)) return Violation::utf8;
  return std::memchr(text.data(), 0, text.size()) != nullptr ? Violation::utf8_null : Violation::none;
}

bool is_topic_name(std::string_view topic) {
  if (topic.empty() || topic.size() > 0xFFFF) return false;
  if (is_plain(as_bytes(topic), true)) return true;
  return topic.find_first_of("+#") == std::string_view::npos &&
         check_text(as_bytes(topic)) == Violation::none;
}

bool is_topic_filter(std::string_view filter) {
  if (filter.size() > 0xFFFF || check_text(as_bytes(filter)) != Violation::none) return false;
  if (!filter.starts_with(kSharePrefix)) return is_filter_text(filter);
  filter.remove_prefix(kSharePrefix.size());
  bool last = false;
  const std::string_view group = take_level(filter, last);
  return !group.empty() && !last && group.find_first_of("+#") == std::string_view::npos &&
         is_filter_text(filter);
}

bool matches(std::string_view filter, std::string_view topic) {
  if (filter.starts_with(kSharePrefix)) {
    const std::size_t slash = filter.find('/', kSharePrefix.size());
    if (slash == std::string_view::npos) return false;
    filter.remove_prefix(slash + 1);
  }
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  bool filter_last = false;
  bool topic_last = false;
  while (!filter_last && !topic_last) {
    const std::string_view wanted = take_level(filter, filter_last);
    if (wanted == "#") return true;
    const std::string_view level = take_level(topic, topic_last);
    if (wanted != "+" && wanted != level) return false;
  }
  return topic_last && (filter_last || filter == "#");  // "sport/#" also matches "sport"
}

}  // namespace mqboard::mqtt
