#include "cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

std::string_view escape(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::faint:
      return "\x1b[2m";
    case Style::green:
      return "\x1b[32m";
    case Style::yellow:
      return "\x1b[33;1m";
    case Style::red:
      return "\x1b[31;1m";
    case Style::magenta:
      return "\x1b[35;1m";
    case Style::bold:
      return "\x1b[1m";
  }
  return "";
}

void put(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

void put_styled(std::FILE* file, std::string_view text, Style style, bool color) {
  const bool styled = color && style != Style::plain;
  if (styled) put(file, escape(style));
  put(file, text);
  if (styled) put(file, "\x1b[0m");
  put(file, "\n");
}

// Of a traceback: what happened.
std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text.substr(text.find_last_of('\n') + 1);
}

bool color_wanted(Color color, bool terminal) {
  if (color != Color::automatic) return color == Color::always;
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return terminal && !dumb && (no_color == nullptr || *no_color == '\0');
}

}  // namespace

Console::Console()
    : output_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      talk_is_terminal_(::isatty(STDERR_FILENO) == 1),
      color_output_(color_wanted(Color::automatic, output_is_terminal_)),
      color_talk_(color_wanted(Color::automatic, talk_is_terminal_)) {}

void Console::configure(const Settings& settings) {
  json_ = settings.output == Output::json;
  verbosity_ = settings.verbosity;
  color_output_ = color_wanted(settings.color, output_is_terminal_);
  color_talk_ = color_wanted(settings.color, talk_is_terminal_);
}

void Console::data(Bytes bytes) {
  if (bytes.empty()) return;
  status_line("");
  put(stdout, as_text(bytes));
  last_ = static_cast<char>(bytes.back());
}

void Console::line(std::string_view text, Style style) {
  status_line("");
  put_styled(stdout, text, style, color_output_);
  last_ = '\n';
}

void Console::end_line() {
  if (output_is_terminal_ && last_ != '\n') line("");
}

void Console::flush() { std::fflush(stdout); }

void Console::talk(std::string_view text, Style style) {
  status_line("");
  std::fflush(stdout);  // what the talk is about comes first
  put_styled(stderr, text, style, color_talk_);
}

void Console::note(std::string_view text) {
  if (verbosity_ >= 0 && (talk_is_terminal_ || verbosity_ > 0)) talk(text);
}

void Console::detail(std::string_view text) {
  if (verbosity_ >= 1) talk(text, Style::faint);
}

void Console::trace(std::string_view text) {
  if (verbosity_ >= 2) talk(text, Style::faint);
}

void Console::error(const Failure& failure) {
  if (failure.message.empty() && failure.detail.empty()) return;  // it has been said
  if (json_) {
    const std::string_view message =
        failure.message.empty() ? last_line(failure.detail) : std::string_view(failure.message);
    std::vector<json::Field> fields{{"error", message}, {"status", static_cast<int>(failure.status)}};
    if (!failure.code.empty()) fields.emplace_back("code", failure.code);
    if (!failure.detail.empty()) fields.emplace_back("detail", failure.detail);
    return talk(json::object(fields).text);
  }
  const bool detail_is_the_point = failure.message.empty();
  if (!failure.detail.empty() && (detail_is_the_point || verbose())) {
    std::string_view detail = failure.detail;
    while (detail.ends_with('\n') || detail.ends_with('\r')) detail.remove_suffix(1);
    talk(talk_is_terminal_ ? printable(detail) : detail, detail_is_the_point ? Style::red : Style::faint);
  }
  if (!detail_is_the_point) talk(fmt::format("mqboard: {}", printable(failure.message)), Style::red);
}

void Console::script_error(Bytes bytes) {
  status_line("");
  if (talk_is_terminal_) end_line();
  std::fflush(stdout);
  put(stderr, as_text(bytes));
}

void Console::status_line(std::string_view text) {
  if (!talk_is_terminal_ || (text.empty() && !status_shown_)) return;
  put(stderr, "\r");
  put(stderr, text);
  put(stderr, "\x1b[K");
  std::fflush(stderr);
  status_shown_ = !text.empty();
}

unsigned Console::columns() const {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

Result<> Console::finish() {
  status_line("");
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return fail(ExitStatus::usage, fmt::format("cannot write standard output: {}", std::strerror(errno)));
  }
  return {};
}

std::string printable(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) {
      clean += fmt::format("\\x{:02x}", byte);
    } else {
      clean += c;
    }
  }
  return clean;
}

}  // namespace mqboard::cli
