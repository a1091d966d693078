// For tests of the ROM modules: an interpreter on a board that only remembers what Python asked of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/system_executor.hpp>
#include <rom/board.hpp>

#include "board/devices.hpp"
#include "board/python_api.hpp"
#include "python/testing.hpp"

namespace mqboard::board::testing {

using python::testing::Result;

using python::testing::SkippingClock;

class FakeBoard final : public BoardApi {
 public:
  explicit FakeBoard(FileSystem& flash)
      : flash_(flash),
        pins_(
            [this](std::string_view pin, bool level) {
              if (runtime != nullptr) post_pin(*runtime, pin, level);
            },
            [this](std::string_view pin, bool level) {
              if (written) written(pin, level);
            }) {}

  struct Line {
    int level;
    std::string logger, text;
  };

  // What Python sees; set before it starts.
  BoardFacts who{.kind = "test",
                 .location = "bench",
                 .prefix = "test/bench",
                 .unique_id = {1, 2, 3, 4, 5, 6},
                 .version = "1.2.3",
                 .reset_cause = boot::ResetCause::hard_reset,
                 .safe_mode = false,
                 .modules = {}};
  std::map<std::string, std::string, std::less<>> tables;
  std::map<std::string, int, std::less<>> levels;
  NetworkFacts net;
  std::optional<SlotFacts> other = SlotFacts{.label = "b", .size_bytes = 8192};
  std::optional<python::Exception> refuse;  // every MQTT operation
  bool is_connected = false;
  bool host_clock_known = false;
  std::int64_t ntp_offset_us = 0;
  python::Runtime* runtime = nullptr;
  std::function<void(std::string_view pin, bool level)> written;  // an output changed; Python thread

  // What Python did, in words: "reset 1 0", "subscribe a/b 1", … in order.
  std::vector<std::string> done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  void wait_for(std::string_view what) {
    wait([&] { return std::ranges::find(done_, what) != done_.end(); }, what);
  }
  std::vector<Line> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  // The first line, of those so far and to come, that contains it.
  Line wait_for_line(std::string_view text) {
    Line found;
    wait(
        [&] {
          const auto line =
              std::ranges::find_if(lines_, [&](const Line& l) { return l.text.contains(text); });
          if (line != lines_.end()) found = *line;
          return line != lines_.end();
        },
        text);
    return found;
  }
  bool has_line(std::string_view text) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(lines_, [&](const Line& l) { return l.text.contains(text); });
  }

  BoardFacts facts() const override { return who; }
  std::string table_json(std::string_view module) const override {
    const auto found = tables.find(module);
    return found == tables.end() ? "{}" : found->second;
  }
  void publish(PythonMessage message, python::Completion completion) override {
    note("publish " + message.topic + " " + std::string(as_text(message.payload)) +
         (message.retain ? " retain" : "") + " qos" + std::to_string(message.qos) +
         (message.sync ? " sync" : ""));
    finish(completion, python::None{});
  }
  void subscribe(std::string filter, int qos, python::Completion completion) override {
    note("subscribe " + filter + " " + std::to_string(qos));
    finish(completion, std::int64_t{qos});
  }
  void unsubscribe(std::string filter, python::Completion completion) override {
    note("unsubscribe " + filter);
    finish(completion, python::None{});
  }
  bool connected() const override { return is_connected; }
  void log(int level, std::string_view logger, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back({level, std::string(logger), std::string(text)});
    changed_.notify_all();
  }
  int log_level(std::string_view logger) const override {
    const auto found = levels.find(logger);
    return found == levels.end() ? 0 : found->second;
  }
  void set_log_level(std::string_view logger, int level) override {
    note("set_log_level " + std::string(logger) + " " + std::to_string(level));
  }
  void report_failure(std::string_view task, std::string_view traceback) override {
    note("failure " + std::string(task) + ": " + python::testing::last_line(traceback));
  }
  void reset(boot::ResetRequest kind, boot::ModeRequest mode) override {
    note("reset " + std::to_string(static_cast<int>(kind)) + " " + std::to_string(static_cast<int>(mode)));
  }
  void deep_sleep(std::chrono::milliseconds duration) override {
    note("deep_sleep " + std::to_string(duration.count()));
  }
  python::ByteString rtc_memory() const override { return rtc_; }
  void set_rtc_memory(python::ByteString data) override { rtc_ = std::move(data); }
  bool feed_watchdog(std::string_view secret) override { return secret == "c0ffee"; }
  void feed_application_watchdog(std::chrono::milliseconds timeout) override {
    note("wdt " + std::to_string(timeout.count()));
  }
  SlotFacts running_slot() const override { return {.label = "a", .size_bytes = 10'000, .confirmed = true}; }
  std::optional<SlotFacts> other_slot() const override { return other; }
  Answer<void> confirm_image() override {
    note("confirm");
    return {};
  }
  Answer<void> select_slot(std::string_view label) override {
    note("select " + std::string(label));
    return {};
  }
  NetworkFacts network() const override { return net; }
  std::uint64_t cpu_hz() const override { return 1'500'000'000; }
  bool clock_known() const override { return host_clock_known; }
  void set_utc(std::chrono::microseconds since_1970) override {
    note("set_utc " + std::to_string(since_1970.count() / 1'000'000));
  }
  void query_ntp(std::string server, python::Completion completion) override {
    note("query_ntp " + server);
    finish(completion, ntp_offset_us);
  }
  Pins& pins() override { return pins_; }
  FileSystem& flash() override { return flash_; }

 private:
  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    done_.push_back(std::move(what));
    changed_.notify_all();
  }
  void finish(const python::Completion& completion, python::Value value) const {
    if (refuse) return completion.fail(*refuse);
    completion.complete(std::move(value));
  }
  template<class Condition>
  void wait(const Condition& condition, std::string_view what) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::seconds(20), condition)) return;
    std::string text = "timed out waiting for '" + std::string(what) + "'; there is:";
    for (const auto& item : done_) text += "\n  " + item;
    for (const auto& line : lines_) text += "\n  " + line.logger + ": " + line.text;
    throw std::runtime_error(text);
  }

  FileSystem& flash_;
  SimulatedPins pins_;
  python::ByteString rtc_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::string> done_;
  std::vector<Line> lines_;
};

// Set files and api up, then start().
class PythonBoard {
 public:
  PythonBoard() : PythonBoard(nullptr, {}) {}
  // With another clock than one that skips, and modules beside the board's.
  PythonBoard(python::Clock* other_clock, std::vector<python::HostModule> more)
      : api(flash),
        runtime({.flash = flash,
                 .observer = watcher,
                 .clock = other_clock != nullptr ? *other_clock : clock,
                 .limits = {},
                 .roms = {rom::board},
                 .modules = modules(std::move(more))}) {
    api.runtime = &runtime;
  }
  ~PythonBoard() { runtime.stop(); }

  // Starts the interpreter and the launcher in it.
  std::shared_ptr<Result> start() {
    auto launcher = std::make_shared<Result>();
    runtime.exec(launcher_source(), "launcher", launcher);
    runtime.start();
    return launcher;
  }
  // The same, returning when boot.py, the modules and main.py have been run.
  void boot() {
    const auto launcher = start();
    const auto& outcome = launcher->wait();
    if (outcome.status != python::Outcome::Status::ok) throw std::runtime_error("launcher: " + outcome.text);
  }
  void connect() {
    api.is_connected = true;
    post_connected(runtime, true);
  }
  void disconnect() {
    api.is_connected = false;
    post_connected(runtime, false);
  }
  // What statements printed, or the last line of the traceback; the repr of an expression.
  std::string run(std::string source) {
    const auto result = std::make_shared<Result>();
    runtime.eval(std::move(source), result);
    const auto& outcome = result->wait();
    if (outcome.status != python::Outcome::Status::ok) return python::testing::last_line(outcome.text);
    return outcome.expression ? outcome.text : result->output();
  }

  // Asks until the expression is true.
  void run_until(const std::string& expression) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (run("bool(" + expression + ")") != "True") {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("never true: " + expression);
    }
  }

  python::testing::MemoryFileSystem flash;
  FakeBoard api;
  python::testing::Watcher watcher;
  SkippingClock clock;
  python::Runtime runtime;

 private:
  std::vector<python::HostModule> modules(std::vector<python::HostModule> more) {
    auto all = make_host_modules(api);
    for (auto& module : more) all.push_back(std::move(module));
    // Without devices, unless the test brings some.
    for (const auto& module : {make_uart_module(boost::asio::system_executor(), {}), make_bus_module({}),
                               make_analog_module({})}) {
      if (std::ranges::find(all, module.name, &python::HostModule::name) == all.end()) all.push_back(module);
    }
    return all;
  }
};

}  // namespace mqboard::board::testing
