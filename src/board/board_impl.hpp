// The inside of Board. One object per run of the firmware.
//
//   board.cpp        what happens: connection, commands, sleep, end
//   board_parts.cpp  what it is made of, and what each part is given of the others
#pragma once

#include "board/board.hpp"

#include <boost/asio/steady_timer.hpp>

#include "board/board_clock.hpp"
#include "board/channel_service.hpp"
#include "board/crash_service.hpp"
#include "board/link_watch.hpp"
#include "board/log_levels.hpp"
#include "board/log_service.hpp"
#include "board/mqtt_link.hpp"
#include "board/power_service.hpp"
#include "board/python_host.hpp"
#include "board/status.hpp"
#include "board/text.hpp"
#include "board/tls_session.hpp"
#include "board/update_service.hpp"
#include "board/v1_service.hpp"
#include "board/watchdog_service.hpp"
#include "port/crypto/sha256.hpp"
#include "port/linux/boot_client.hpp"
#include "port/linux/flash.hpp"

namespace mqboard::board {

namespace asio = boost::asio;

inline TimePoint now() {
  return TimePoint(std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()));
}

class Board::Impl final : public Interpreter {
 public:
  Impl(asio::any_io_executor executor, Options options, std::unique_ptr<port::LinuxFlash> flash,
       mqtt::Options mqtt);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  asio::awaitable<Ending> run();
  void end(const Ending& ending);
  void end_now(const Ending& ending);
  void explain_starving();

  // Interpreter
  python::JobId eval(std::string source, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.eval(std::move(source), std::move(sink));
  }
  python::JobId exec(std::string source, std::string name, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.exec(std::move(source), std::move(name), std::move(sink));
  }
  python::JobId complete(std::string prefix, std::shared_ptr<python::JobSink> sink) override {
    return runtime_.complete(std::move(prefix), std::move(sink));
  }
  void interrupt() override { runtime_.interrupt(); }
  bool interrupt(python::JobId job) override { return runtime_.interrupt(job); }

 private:
  LogService::Environment log_environment();
  MqttLink::Handlers link_handlers();
  PythonHost::Environment python_environment();
  python::Options python_options();
  std::unique_ptr<UpdateService> make_updates();
  std::unique_ptr<CrashService> make_crashes();
  std::unique_ptr<LinkWatch> make_link_watch();
  Services make_services();
  V1Service::Environment v1_environment();
  ChannelService::Environment channel_environment();
  WatchdogService::Environment watchdog_environment();

  [[nodiscard]] StatusFields status_fields() const;
  [[nodiscard]] std::string status(bool online, std::string_view reason) const;
  [[nodiscard]] std::string final_status() const;
  [[nodiscard]] std::string info();

  void on_message(const mqtt::MessageView& message);
  void on_stay_awake(const mqtt::MessageView& request);
  void on_connected(const mqtt::Connected& connected);
  void on_disconnected(const mqtt::Disconnected& disconnected);
  void say_not_connected(const mqtt::Error& error);
  void say_not_allowed(std::string_view why);
  void suspect_another_of_our_name(const mqtt::Error& error);
  void on_interpreter_crash(const python::Crash& crash);
  bool on_in_order();
  void post(std::function<void()> function);
  // For a timer: not when it was cancelled, nor when it was too late for that and the board is gone.
  auto when_due(std::function<void()> function) {
    return [weak = std::weak_ptr(alive_), function = std::move(function)](const auto& error) {
      if (!error && weak.lock()) function();
    };
  }
  void wake_channels_at(TimePoint when);
  void tick_while_busy();
  void tick_every_second();
  void sleep_if_due();
  void arm_watchdog();
  [[nodiscard]] bool on_trial() const;
  void say_hello();
  void clean_up();
  void save_levels();
  void log(int level, std::string_view text) { log_.log(level, "board", text); }
  // The same again and again is one line.
  void log_trouble(int level, std::string text) {
    if (text != last_trouble_) log(level, text);
    last_trouble_ = std::move(text);
  }
  [[nodiscard]] Millis uptime() const {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started_);
  }
  [[nodiscard]] const Config& config() const { return options_.config; }
  [[nodiscard]] port::BootClient& boot() const { return *options_.boot; }

  asio::any_io_executor executor_;
  Options options_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::shared_ptr<Impl*> alive_ = std::make_shared<Impl*>(this);  // for what was posted and comes late
  const std::uint32_t epoch_;
  std::shared_ptr<BoardClock> clock_ = std::make_shared<BoardClock>();
  std::unique_ptr<port::LinuxFlash> flash_;
  port::Sha256Hasher hasher_;
  std::vector<std::uint8_t> log_memory_;
  LogService log_;
  const std::unique_ptr<UpdateService> updates_;  // null without mqboot
  const std::unique_ptr<CrashService> crashes_;   // null without a place for them
  KeptTlsSession tls_session_;
  MqttLink link_;
  WatchdogService watchdog_;
  PowerService power_;
  std::unique_ptr<LinkWatch> link_watch_;  // null: the broker is on this machine
  PythonHost python_;
  python::Runtime runtime_;
  Services services_;
  V1Service v1_;
  ChannelService channels_;
  asio::steady_timer busy_timer_, second_timer_, channel_timer_;
  asio::steady_timer ended_;
  Ending ending_;
  std::string last_trouble_;
  bool ticking_ = false;
  bool was_connected_ = false;
  std::string client_id_;  // of the latest connection
  TimePoint connected_at_{};
  unsigned short_connections_ = 0;  // in a row, that the broker ended
};

}  // namespace mqboard::board
