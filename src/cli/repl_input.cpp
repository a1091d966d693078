#include "cli/repl_input.hpp"

#include <array>
#include <utility>

namespace mqboard::cli {

namespace {

constexpr std::string_view kIndent = "    ";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool begins_with_word(std::string_view line, std::string_view word) {
  return line.starts_with(word) && (line.size() == word.size() || !is_name_character(line[word.size()]));
}

bool is_compound(std::string_view line) {
  constexpr std::array<std::string_view, 9> kWords{"if",  "while", "for",   "try",  "with",
                                                   "def", "class", "async", "match"};
  if (line.starts_with('@')) return true;
  for (const std::string_view word : kWords) {
    if (begins_with_word(line, word)) return word != "match" || line.ends_with(":\n");
  }
  return false;
}

// Walks through Python source, knowing strings, comments and brackets.
struct Scanner {
  int depth = 0;
  char quote = 0;  // of the string we are in
  bool triple = false;
  bool continued = false;  // the last line ended with a backslash
  char last = 0;           // last character that is no space, comment or newline

  void scan(std::string_view source) {
    for (std::size_t i = 0; i < source.size(); ++i) i += step(source.substr(i));
  }

 private:
  // Returns how many further characters were taken.
  std::size_t step(std::string_view rest) {
    const char c = rest.front();
    if (quote != 0) return in_string(rest);
    continued = false;
    switch (c) {
      case '#':
        return std::min(rest.find('\n'), rest.size()) - 1;
      case '\'':
      case '"':
        quote = c;
        last = c;
        triple = rest.size() >= 3 && rest[1] == c && rest[2] == c;
        return triple ? 2 : 0;
      case '(':
      case '[':
      case '{':
        ++depth;
        break;
      case ')':
      case ']':
      case '}':
        depth -= depth > 0 ? 1 : 0;
        break;
      case '\\':
        continued = rest.size() == 2 && rest[1] == '\n';
        return rest.size() > 1 ? 1 : 0;
      case ' ':
      case '\t':
      case '\n':
        return 0;
      default:
        break;
    }
    last = c;
    return 0;
  }

  std::size_t in_string(std::string_view rest) {
    const char c = rest.front();
    if (c == '\\') return rest.size() > 1 ? 1 : 0;
    if (!triple && (c == quote || c == '\n')) quote = 0;  // a newline: Python will complain, not we
    const bool closes = triple && rest.size() >= 3 && c == quote && rest[1] == c && rest[2] == c;
    if (!closes) return 0;
    quote = 0;
    return 2;
  }
};

Scanner scanned(std::string_view source) {
  Scanner scanner;
  scanner.scan(source);
  return scanner;
}

std::string_view last_line(std::string_view source) {
  if (source.ends_with('\n')) source.remove_suffix(1);
  const std::size_t start = source.rfind('\n');
  return start == std::string_view::npos ? source : source.substr(start + 1);
}

std::string_view without_indentation(std::string_view line) {
  const std::size_t start = line.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view() : line.substr(start);
}

}  // namespace

void ReplInput::add(std::string_view line) {
  whole_ = whole_ || line.find('\n') != std::string_view::npos;
  source_.append(line).append("\n");
}

bool ReplInput::open() const {
  const Scanner scanner = scanned(source_);
  return scanner.depth > 0 || scanner.quote != 0 || scanner.continued;
}

bool ReplInput::complete() const {
  if (open()) return false;
  const std::string_view first = std::string_view(source_).substr(0, source_.find('\n') + 1);
  const bool ended = last_line(source_).find_first_not_of(" \t") == std::string_view::npos;
  return !is_compound(first) || ended || whole_;
}

std::string ReplInput::indentation() const {
  if (source_.empty()) return {};
  const std::string_view line = last_line(source_);
  const std::string_view text = without_indentation(line);
  std::string indent(line.substr(0, line.size() - text.size()));
  if (open()) return indent;
  if (scanned(source_).last == ':') return indent.append(kIndent);
  for (const std::string_view word : {"return", "pass", "break", "continue", "raise"}) {
    if (begins_with_word(text, word)) indent.resize(indent.size() - std::min(indent.size(), kIndent.size()));
  }
  return indent;
}

std::string ReplInput::take() {
  whole_ = false;
  return std::exchange(source_, {});
}

std::string_view name_at_end(std::string_view line) {
  std::size_t start = line.size();
  while (start > 0 && (is_name_character(line[start - 1]) || line[start - 1] == '.')) --start;
  return line.substr(start);
}

}  // namespace mqboard::cli
