#include <ctime>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

// 2024-01-31T12:34:56.789Z
std::string timestamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1'000'000);
}

class LogPrinter {
 public:
  LogPrinter(Console& console, const View& verb, std::optional<Severity> least, bool several_boards)
      : console_(console),
        verb_(verb),
        least_(least),
        json_(verb.json || console.json()),
        several_boards_(several_boards) {}

  void message(std::string_view topic, std::string_view message) {
    if (done()) return;
    const LogLine line = parse_log_line(message);
    if (!wanted(line)) return;
    ++shown_;
    if (json_) {
      console_.record(to_json(line, topic, timestamp()));
    } else {
      const std::string text = console_.output_is_terminal() ? printable(line.whole) : line.whole;
      if (topic.ends_with("/log")) topic.remove_suffix(4);
      console_.line(several_boards_ ? fmt::format("{}: {}", topic, text) : text, style(line.severity));
    }
    console_.flush();
  }

  [[nodiscard]] bool done() const { return verb_.count && shown_ >= *verb_.count; }

 private:
  // A line without severity or name belongs to the one before it.
  bool wanted(const LogLine& line) {
    if (!line.severity && line.logger.empty()) return last_wanted_;
    const bool severe = !least_ || (line.severity && *line.severity >= *least_);
    last_wanted_ = severe && is_logger(line.logger);
    return last_wanted_;
  }

  // The named logger or one below it: "net" covers "net.wifi".
  [[nodiscard]] bool is_logger(std::string_view logger) const {
    const std::string& name = verb_.logger;
    return name.empty() || logger == name || (logger.starts_with(name) && logger[name.size()] == '.');
  }

  Console& console_;
  const View& verb_;
  std::optional<Severity> least_;
  bool json_;
  bool several_boards_;
  bool last_wanted_ = true;
  std::uint64_t shown_ = 0;
};

// The board's own memory of its log, and then what follows.
Done view_since_boot(Context context, LogPrinter& printer) {
  if (context.settings.prefix.empty()) co_return fail(ExitStatus::usage, "--since-boot: name one board");
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  const std::string topic = context.settings.log_topic;
  const LogFilter filter{.level = 0, .logger = {}, .since_boot = true};
  auto done = co_await (*board)->follow_log(filter, [&](Bytes line) -> Result<> {
    printer.message(topic, as_text(line));
    if (printer.done()) return fail(ExitStatus::ok, "");
    return {};
  });
  if (!done && done.error().status == ExitStatus::ok) co_return Result<>{};
  co_return done;
}

}  // namespace

Done perform(View verb, Context context) {
  const std::string& topic = context.settings.log_topic;
  if (topic.empty()) co_return fail(ExitStatus::usage, "no board named: give --prefix, --topic or -b");
  std::optional<Severity> least;
  if (!verb.level.empty()) {
    least = parse_severity(verb.level);
    if (!least)
      co_return fail(ExitStatus::usage,
                     fmt::format("'{}' is no level: debug, info, warning, error or critical", verb.level));
  }
  LogPrinter printer(context.console, verb, least, topic.find_first_of("+#") != std::string::npos);
  if (verb.since_boot) co_return co_await view_since_boot(context, printer);
  const Session::Subscription log(
      context.session, topic, mqtt::QoS::at_least_once,
      [&printer](const mqtt::MessageView& message) { printer.message(message.topic, message.text()); });
  co_return co_await context.session.until_unlimited([&printer] { return printer.done(); });
}

}  // namespace mqboard::cli
