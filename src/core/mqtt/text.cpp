#include "core/mqtt/text.hpp"

#include <cstring>

#include <mqboard/mqtt/types.hpp>

#include "core/base/utf8.hpp"

namespace mqboard::mqtt {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

// Length of the run of bytes 0x01..0x7F at the front, in steps of eight: almost every topic is nothing else.
std::size_t plain_prefix(Bytes text) {
  std::size_t at = 0;
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if (((word | (word - kOnes)) & kHighs) != 0) break;
  }
  while (at < text.size() && text[at] != 0 && text[at] < 0x80) ++at;
  return at;
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
  const Bytes rest = text.subspan(plain_prefix(text));
  if (rest.empty()) return Violation::none;
  if (!is_utf8(rest)) return Violation::utf8;
  return std::memchr(rest.data(), 0, rest.size()) != nullptr ? Violation::utf8_null : Violation::none;
}

bool is_topic_name(std::string_view topic) {
  if (topic.empty() || topic.size() > 0xFFFF) return false;
  for (const char letter : topic) {
    if (letter == '+' || letter == '#') return false;
  }
  return check_text(as_bytes(topic)) == Violation::none;
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
