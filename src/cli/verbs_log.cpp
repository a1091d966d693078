#include <ctime>

#include <fmt/core.h>

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
  LogPrinter(Console& console, const View& verb, bool several_boards)
      : console_(console), verb_(verb), json_(verb.json || console.json()), several_boards_(several_boards) {}

  void message(const mqtt::MessageView& message) {
    if (done()) return;
    ++shown_;
    const LogLine line = parse_log_line(message.text());
    if (json_) {
      console_.record(to_json(line, message.topic, timestamp()));
    } else {
      const std::string text = console_.output_is_terminal() ? printable(line.whole) : line.whole;
      console_.line(several_boards_ ? fmt::format("{}: {}", message.topic, text) : text,
                    style(line.severity));
    }
    console_.flush();
  }

  [[nodiscard]] bool done() const { return verb_.count && shown_ >= *verb_.count; }

 private:
  Console& console_;
  const View& verb_;
  bool json_;
  bool several_boards_;
  std::uint64_t shown_ = 0;
};

}  // namespace

Done perform(View verb, Context context) {
  const std::string& topic = context.settings.log_topic;
  if (topic.empty()) co_return fail(ExitStatus::usage, "no board named: give --prefix, --topic or -b");
  LogPrinter printer(context.console, verb, topic.find_first_of("+#") != std::string::npos);
  const Session::Subscription log(context.session, topic, mqtt::QoS::at_least_once,
                                  [&printer](const mqtt::MessageView& message) { printer.message(message); });
  co_return co_await context.session.until_unlimited([&printer] { return printer.done(); });
}

}  // namespace mqboard::cli
