// The board behind its Python: BoardApi for the modules in ROM, and what the interpreter reports.
//
// Threads: BoardApi and Observer are called on the Python thread and hand over to the I/O thread; the rest
// belongs to the I/O thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "board/board.hpp"
#include "board/board_clock.hpp"
#include "board/log_service.hpp"
#include "board/mqtt_link.hpp"
#include "board/python_api.hpp"
#include "port/linux/boot_client.hpp"

namespace mqboard::board {

class PythonHost final : public BoardApi, public python::Observer {
 public:
  // What Python may have under way to the broker; more fails with ENOBUFS.
  static constexpr std::size_t kMaxPublishBytes = 512 * 1024;
  static constexpr std::size_t kMaxSubscriptions = 64;

  struct Environment {
    const Config& config;
    const std::string& unique_id;
    port::BootClient& boot;
    Updates* updates;  // null: no slots
    LogService& log;
    MqttLink& link;
    FileSystem& flash;
    std::shared_ptr<BoardClock> clock;
    boost::asio::any_io_executor executor;
    // Runs a function on the I/O thread soon, unless the board is gone by then.
    std::function<void(std::function<void()>)> post;
    std::function<void(const Ending&)> end;
    std::function<void(std::string_view task, std::string_view traceback)> failed;
    std::function<void(const python::Crash&)> crashed;
    // A log level was changed by Python: keep it.
    std::function<void()> save_levels;
    // The secret of the watchdog's round trip came back.
    std::function<bool(std::string_view secret)> fed;
  };

  explicit PythonHost(Environment environment);

  // Before the runtime starts, so that the launcher is the first thing it runs. It outlives this from then on
  // until it is stopped.
  void attach(python::Runtime& runtime);

  // The host modules of the devices that board.toml names.
  void add_devices(std::vector<python::HostModule>& modules) const;

  // From now on Python's errors go into the crash note too, as its traceback.
  void note_errors();
  // A message that is none of the board's commands.
  void deliver(const mqtt::MessageView& message);
  void connection_changed(bool connected);
  // The application's own watchdog has starved.
  [[nodiscard]] bool application_starved() const;

  // A slot record was changed.
  void slots_changed();
  // An operator changed a logger's level.
  void level_changed(std::string_view logger, int level) { post_log_level(*runtime_, logger, level); }

  // python::Observer
  void console(python::Stream stream, Bytes line) override;
  std::size_t cut(Bytes line) override;
  bool crashed(const python::Crash& crash) override;
  void started(unsigned generation) override;

  // BoardApi
  BoardFacts facts() const override;
  std::string table_json(std::string_view module) const override;
  void publish(PythonMessage message, python::Completion done) override;
  void subscribe(std::string filter, int qos, python::Completion done) override;
  void unsubscribe(std::string filter, python::Completion done) override;
  bool connected() const override { return connected_; }
  void log(int level, std::string_view logger, std::string_view text) override;
  int log_level(std::string_view logger) const override;
  void set_log_level(std::string_view logger, int level) override;
  void report_failure(std::string_view task, std::string_view traceback) override;
  void reset(boot::ResetRequest kind, boot::ModeRequest mode) override;
  void deep_sleep(std::chrono::milliseconds duration) override;
  python::ByteString rtc_memory() const override;
  void set_rtc_memory(python::ByteString data) override;
  bool feed_watchdog(std::string_view secret) override;
  void feed_application_watchdog(std::chrono::milliseconds timeout) override;
  SlotFacts running_slot() const override;
  std::optional<SlotFacts> other_slot() const override;
  Answer<void> confirm_image() override;
  Answer<void> select_slot(std::string_view label) override;
  NetworkFacts network() const override;
  std::uint64_t cpu_hz() const override;
  bool clock_known() const override;
  void set_utc(std::chrono::microseconds since_1970) override;
  void query_ntp(std::string server, python::Completion done) override;
  Pins& pins() override { return *pins_; }
  FileSystem& flash() override { return env_.flash; }

 private:
  [[nodiscard]] std::unique_ptr<Pins> make_pins();
  void request_end(Ending ending);

  const Environment env_;
  python::Runtime* runtime_ = nullptr;
  std::unique_ptr<Pins> pins_;
  std::shared_ptr<std::atomic<std::size_t>> publishing_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<bool> connected_ = false;
  mutable std::mutex slots_mutex_;  // guards the next two
  SlotFacts running_;
  std::optional<SlotFacts> other_;
  void note_error(std::string_view text) const;
  std::atomic<bool> noting_errors_ = false;
  std::atomic<std::int64_t> starves_at_ms_ = 0;  // steady clock; 0: not armed
  std::set<std::string, std::less<>> filters_;   // I/O thread
  std::uint64_t dropped_ = 0;                    // I/O thread: messages Python did not take in time
};

// What Python does, in a word or two: "eval", "task sensors".
[[nodiscard]] std::string what(const python::Activity& activity);

}  // namespace mqboard::board
