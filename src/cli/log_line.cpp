#include "cli/log_line.hpp"

#include <array>
#include <cctype>
#include <vector>

namespace mqboard::cli {

namespace {

struct SeverityName {
  Severity severity;
  char letter;
  std::string_view name;
  std::string_view other;
  std::string_view number;
};
constexpr std::array<SeverityName, 5> kSeverities{{{Severity::debug, 'D', "debug", "d", "10"},
                                                   {Severity::info, 'I', "info", "i", "20"},
                                                   {Severity::warning, 'W', "warning", "warn", "30"},
                                                   {Severity::error, 'E', "error", "err", "40"},
                                                   {Severity::critical, 'C', "critical", "crit", "50"}}};

// Without CSI sequences (colours): the original's logging writes them into the message.
std::string without_escapes(std::string_view text) {
  std::string clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '[') {
      i += 2;
      while (i < text.size() && (text[i] < '@' || text[i] > '~')) ++i;
    } else if (text[i] != '\r') {
      clean += text[i];
    }
  }
  while (clean.ends_with('\n') || clean.ends_with(' ')) clean.pop_back();
  return clean;
}

std::string_view take_time(std::string_view& rest) {
  std::size_t length = 0;
  while (length < rest.size() && (std::isdigit(static_cast<unsigned char>(rest[length])) != 0 ||
                                  rest[length] == ':' || rest[length] == '.')) {
    ++length;
  }
  if (length == 0 || length == rest.size() || rest[length] != ' ') return {};
  const std::string_view time = rest.substr(0, length);
  rest.remove_prefix(length);
  return time;
}

void skip_spaces(std::string_view& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
}

// A logger's name has no space: "main: text", not "it failed: why".
std::string_view take_logger(std::string_view& rest) {
  const std::size_t end = rest.find_first_of(": \n");
  if (end == std::string_view::npos || end == 0 || rest[end] != ':') return {};
  const std::string_view logger = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  return logger;
}

bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(a[i])) != b[i]) return false;
  }
  return true;
}

}  // namespace

LogLine parse_log_line(std::string_view message) {
  LogLine line;
  line.whole = without_escapes(message);
  std::string_view rest = line.whole;
  if (rest.size() >= 2 && rest[1] == ' ') {
    for (const SeverityName& row : kSeverities) {
      if (row.letter == rest[0]) line.severity = row.severity;
    }
  }
  if (line.severity) {
    rest.remove_prefix(2);
    skip_spaces(rest);
    line.time = take_time(rest);
    skip_spaces(rest);
    line.logger = take_logger(rest);
  }
  line.text = rest;
  return line;
}

std::string_view name(Severity severity) { return kSeverities[static_cast<std::size_t>(severity)].name; }

std::optional<Severity> parse_severity(std::string_view text) {
  for (const SeverityName& row : kSeverities) {
    const std::string_view letter = row.name.substr(0, 1);
    if (same(text, row.name) || same(text, row.other) || same(text, letter) || text == row.number)
      return row.severity;
  }
  return std::nullopt;
}

Style style(std::optional<Severity> severity) {
  if (!severity) return Style::plain;
  switch (*severity) {
    case Severity::debug:
      return Style::faint;
    case Severity::info:
      return Style::green;
    case Severity::warning:
      return Style::yellow;
    case Severity::error:
      return Style::red;
    case Severity::critical:
      return Style::magenta;
  }
  return Style::plain;
}

json::Value to_json(const LogLine& line, std::string_view topic, std::string_view received) {
  std::vector<json::Field> fields{{"received", received}};
  if (!topic.empty()) fields.emplace_back("topic", topic);
  fields.emplace_back("level", line.severity ? json::Value(name(*line.severity)) : json::Value::null());
  fields.emplace_back("time", line.time.empty() ? json::Value::null() : json::Value(line.time));
  fields.emplace_back("name", line.logger.empty() ? json::Value::null() : json::Value(line.logger));
  fields.emplace_back("message", line.text);
  return json::object(fields);
}

}  // namespace mqboard::cli
