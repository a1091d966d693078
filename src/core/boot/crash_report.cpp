#include "core/boot/crash_report.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/utf8.hpp"

namespace mqboard::boot {
namespace {

constexpr std::string_view kFirstLine = "mqboard crash report 1\n";
constexpr std::size_t kMaxField = 120;
constexpr std::string_view kCauses[] = {"exception",     "interpreter_trap", "cpp_exception",
                                        "signal",        "watchdog",         "trial_expired",
                                        "out_of_memory", "killed",           "exit_status"};

std::string_view decimal(std::uint64_t number, std::span<char, 24> digits) {
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

// The length of the UTF-8 sequence at the front, 0 when there is none or it is a control character.
std::size_t printable_sequence(std::string_view text, bool lines) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first == '\n' || first == '\t') return lines ? 1 : 0;
  if (first < 0x20 || first == 0x7f) return 0;
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    if (is_utf8(as_bytes(text.substr(0, length)))) return length;
  }
  return 0;
}

void clean(Writer& writer, std::string_view text, bool lines) {
  while (!text.empty()) {
    const std::size_t length = printable_sequence(text, lines);
    writer.text(length == 0 ? "?" : text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
}

void field(Writer& writer, std::string_view key, std::string_view value) {
  writer.text(key);
  writer.text(": ");
  clean(writer, value.substr(0, utf8_prefix(as_bytes(value), kMaxField)), false);
  writer.text("\n");
}

void field(Writer& writer, std::string_view key, std::uint64_t value) {
  char digits[24];
  field(writer, key, decimal(value, digits));
}

void section(Writer& writer, std::string_view key, std::string_view text) {
  char digits[24];
  writer.text("[");
  writer.text(key);
  writer.text(" ");
  writer.text(decimal(text.size(), digits));
  writer.text("]\n");
  clean(writer, text, true);
  writer.text("\n");
}

std::string_view beginning(std::string_view text, std::size_t limit) {
  return text.substr(0, utf8_prefix(as_bytes(text), limit));
}

std::string_view ending(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  text.remove_prefix(text.size() - limit);
  while (!text.empty() && (static_cast<unsigned char>(text[0]) & 0xc0) == 0x80) text.remove_prefix(1);
  return text;
}

// Takes lines and sections off the front of a report.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::string_view line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return failed_ = true, std::string_view{};
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return taken;
  }
  std::string_view value(std::string_view key) {
    std::string_view taken = line();
    if (!taken.starts_with(key) || !taken.substr(key.size()).starts_with(": ")) failed_ = true;
    return failed_ ? std::string_view{} : taken.substr(key.size() + 2);
  }
  template<class Number>
  Number number(std::string_view text) {
    Number result = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc{} || end != text.data() + text.size()) failed_ = true;
    return result;
  }
  std::string_view section(std::string_view key) {
    std::string_view head = line();
    if (!head.starts_with("[") || !head.ends_with("]") || !head.substr(1).starts_with(key)) failed_ = true;
    if (failed_ || head.size() < key.size() + 4) return failed_ = true, std::string_view{};
    const auto size = number<std::size_t>(head.substr(key.size() + 2, head.size() - key.size() - 3));
    if (failed_ || size >= rest_.size() || rest_[size] != '\n') return failed_ = true, std::string_view{};
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    return text;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

std::string_view name(CrashCause cause) { return kCauses[static_cast<std::size_t>(cause)]; }

std::optional<CrashCause> crash_cause(std::string_view text) {
  const auto found = std::ranges::find(kCauses, text);
  if (found == std::end(kCauses)) return {};
  return static_cast<CrashCause>(found - std::begin(kCauses));
}

Bytes encode(const CrashReport& report, MutableBytes into) {
  into = into.first(std::min(into.size(), kMaxCrashReport));
  Writer writer(into);
  writer.text(kFirstLine);
  field(writer, "cause", name(report.cause));
  field(writer, "detail", report.detail);
  field(writer, "firmware", report.firmware);
  field(writer, "image", report.image);
  field(writer, "boot", report.boot_count);
  field(writer, "uptime_ms", report.uptime_ms);
  field(writer, "time_s", static_cast<std::uint64_t>(std::max<std::int64_t>(0, report.time_s)));
  constexpr std::size_t kSectionHeads = 3 * 32;
  const std::size_t room = into.size() - std::min(into.size(), writer.size() + kSectionHeads);
  const std::string_view traceback = ending(report.traceback, room / 4);
  const std::string_view backtrace = beginning(report.backtrace, room / 4);
  section(writer, "traceback", traceback);
  section(writer, "backtrace", backtrace);
  section(writer, "log", ending(report.log, room - traceback.size() - backtrace.size()));
  return writer.written();
}

CrashNote split_crash_note(std::string_view note) {
  constexpr std::string_view kCause = "cause: ";
  constexpr std::string_view kTraceback = "[traceback]\n";
  constexpr std::string_view kBacktrace = "[backtrace]\n";
  CrashNote split;
  if (note.starts_with(kCause)) {
    const std::string_view line = note.substr(kCause.size(), note.find('\n') - kCause.size());
    const std::size_t space = std::min(line.find(' '), line.size());
    split.cause = crash_cause(line.substr(0, space));
    if (split.cause) split.detail = line.substr(std::min(space + 1, line.size()));
    note.remove_prefix(std::min(note.size(), kCause.size() + line.size() + 1));
  }
  const std::size_t start = note.find(kTraceback);
  split.backtrace = note.substr(0, start);
  if (start != std::string_view::npos) {
    split.traceback = note.substr(start + kTraceback.size());
    const std::size_t end = split.traceback.find(kBacktrace);
    if (end != std::string_view::npos) {
      split.backtrace = split.traceback.substr(end);
      split.traceback = split.traceback.substr(0, end);
    }
  }
  if (split.backtrace.starts_with(kBacktrace)) split.backtrace.remove_prefix(kBacktrace.size());
  return split;
}

std::optional<CrashReport> decode_crash_report(Bytes text) {
  Parser parser(as_text(text));
  if (parser.line() != kFirstLine.substr(0, kFirstLine.size() - 1)) return {};
  const auto cause = crash_cause(parser.value("cause"));
  CrashReport report{
      .detail = parser.value("detail"), .firmware = parser.value("firmware"), .image = parser.value("image")};
  report.boot_count = parser.number<std::uint32_t>(parser.value("boot"));
  report.uptime_ms = parser.number<std::uint64_t>(parser.value("uptime_ms"));
  report.time_s = parser.number<std::int64_t>(parser.value("time_s"));
  report.traceback = parser.section("traceback");
  report.backtrace = parser.section("backtrace");
  report.log = parser.section("log");
  if (!cause || !parser.at_end()) return {};
  report.cause = *cause;
  return report;
}

}  // namespace mqboard::boot
