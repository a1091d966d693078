// The board as Python sees it: the interface its ROM modules (mqtt, machine, logging, …) need of the board,
// the host modules that carry it into the interpreter, and the events that go the other way.
//
// The firmware implements BoardApi and wires it up like this:
//
//   options.roms = {rom::board};
//   options.modules = make_host_modules(api);
//   ...in Observer::started():  runtime.exec(launcher_source(), "launcher", nullptr);
//   ...when MQTT comes up:      post_connected(runtime, true);
//
// Threads: every BoardApi method is called on the Python thread while Python stands still, so it returns
// promptly; what takes time hops to the I/O thread and answers through the Completion, from any thread. The
// post_ functions may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "board/pins.hpp"
#include "core/base/bytes.hpp"
#include "core/base/file_system.hpp"
#include "core/boot/reset.hpp"
#include "python/host_module.hpp"
#include "python/runtime.hpp"

namespace mqboard::board {

// Who this board is and how it was started. The same during the life of an interpreter.
struct BoardFacts {
  std::string kind, location, prefix;
  python::ByteString unique_id;  // machine.unique_id(): stable for the machine, 6 bytes or more
  std::string version;           // of the firmware
  boot::ResetCause reset_cause = boot::ResetCause::power_on;
  bool safe_mode = false;            // no boot.py, no modules of the application, no main.py
  std::vector<std::string> modules;  // board.modules, in order; native ones (see below) are skipped
};

// Names that may stand in board.modules although the firmware itself does their work.
inline constexpr std::string_view kNativeModules[] = {"mqtt", "logging", "mqrepl", "watchdog"};

// A firmware slot, for esp32.Partition.
struct SlotFacts {
  std::string label;  // "a", "b"; "dev" without mqboot
  std::uint64_t size_bytes = 0;
  bool confirmed = false;
};

// The host's network, for network.WLAN. Empty text: unknown.
struct NetworkFacts {
  bool up = false;  // an interface other than loopback is up and has an address
  std::string interface, address, netmask, gateway, nameserver, hostname;
  python::ByteString mac;
};

struct PythonMessage {
  std::string topic;
  python::ByteString payload;
  bool retain = false;
  int qos = 0;  // 0 to 2
  // true: done when the broker has it (QoS 0: when written); false: when it is accepted for sending.
  bool sync = true;
};

class BoardApi {
 public:
  template<class Value>
  using Answer = std::expected<Value, python::Exception>;

  virtual ~BoardApi() = default;

  // --- Identity and configuration

  [[nodiscard]] virtual BoardFacts facts() const = 0;
  // The table of a module in board.toml (with secrets.toml) as a JSON object; "{}" when there is none.
  [[nodiscard]] virtual std::string table_json(std::string_view module) const = 0;

  // --- MQTT. While offline these wait for the connection. The implementation bounds what waits, and fails
  // with OSError(ENOBUFS) beyond. A refusal of the broker is OSError(EACCES); a topic MQTT does not allow is
  // ValueError. `done` completes with None; for subscribe with the granted QoS.

  virtual void publish(PythonMessage message, python::Completion done) = 0;
  virtual void subscribe(std::string filter, int qos, python::Completion done) = 0;
  virtual void unsubscribe(std::string filter, python::Completion done) = 0;
  [[nodiscard]] virtual bool connected() const = 0;

  // --- Log. Levels are those of Python's logging.

  // One record; `text` may hold several lines and any bytes. The board adds the time.
  virtual void log(int level, std::string_view logger, std::string_view text) = 0;
  // What board.toml or the operator set for this logger, "" being the root; 0: nothing.
  [[nodiscard]] virtual int log_level(std::string_view logger) const = 0;
  // Sets and persists it; 0 takes it back.
  virtual void set_log_level(std::string_view logger, int level) = 0;

  // --- Failures

  // An exception that ended `task` ("blinky", "main.py", …) of the application, for the crash reports. It has
  // been logged already.
  virtual void report_failure(std::string_view task, std::string_view traceback) = 0;

  // --- Reset and power. The call returns; the code that asked is ended by the ROM, and the board goes down
  // once it has flushed its log and replies. `none` as mode: the boot table decides. The origin is the
  // operator when an eval asks (Runtime::activity().kind), otherwise the application.

  virtual void reset(boot::ResetRequest kind, boot::ModeRequest mode) = 0;
  virtual void deep_sleep(std::chrono::milliseconds duration) = 0;  // 0: until power-on

  // Survives resets, not power-on. At most kRtcMemory bytes; empty at first.
  static constexpr std::size_t kRtcMemory = 2048;
  [[nodiscard]] virtual python::ByteString rtc_memory() const = 0;
  virtual void set_rtc_memory(python::ByteString data) = 0;

  // --- Watchdogs

  // The watchdog's loop-back has come round: evaluated by the source feed_source() made. False: not the
  // secret of this boot.
  virtual bool feed_watchdog(std::string_view secret) = 0;
  // The application's own, machine.WDT: resets the board with cause `watchdog` when not fed for so long. The
  // first call arms it, each later one feeds it, or with another timeout changes it. It cannot be disarmed.
  virtual void feed_application_watchdog(std::chrono::milliseconds timeout) = 0;

  // --- Firmware slots

  [[nodiscard]] virtual SlotFacts running_slot() const = 0;
  [[nodiscard]] virtual std::optional<SlotFacts> other_slot() const = 0;
  virtual Answer<void> confirm_image() = 0;  // the running image is good: no rollback
  // Boots this slot next, on trial if it was never confirmed. OSError(ENOENT) when it holds no image.
  virtual Answer<void> select_slot(std::string_view label) = 0;

  // --- The machine

  [[nodiscard]] virtual NetworkFacts network() const = 0;
  [[nodiscard]] virtual std::uint64_t cpu_hz() const = 0;  // 0: unknown
  // UTC is known: the host says its clock is synchronised, or set_utc() was called.
  [[nodiscard]] virtual bool clock_known() const = 0;
  // Sets the time Python and the log see, not the host's: the host's clock may need privileges, and belongs
  // to the host.
  virtual void set_utc(std::chrono::microseconds since_1970) = 0;
  // Asks an NTP server (a name or an address, port 123). Completes with the microseconds to add to what
  // Python's time says now; fails with OSError(ETIMEDOUT) and the like.
  virtual void query_ntp(std::string server, python::Completion done) = 0;
  [[nodiscard]] virtual Pins& pins() = 0;
  // The flash, for esp32.NVS; the same the interpreter has.
  [[nodiscard]] virtual FileSystem& flash() = 0;
};

// The host modules `_board`, `_pins` and `_nvs`. The api outlives the Runtime that gets them.
[[nodiscard]] std::vector<python::HostModule> make_host_modules(BoardApi& api);

// What to run in every fresh interpreter: boot.py, the modules, main.py. When it has ended (main.py may never
// end) the tasks go on whenever the Python thread is idle.
[[nodiscard]] std::string launcher_source();

// What the watchdog sends itself as eval: ends in BoardApi::feed_watchdog(secret). The secret is text without
// quotes and backslashes, e.g. hex.
[[nodiscard]] std::string feed_source(std::string_view secret);

// --- Events. False: dropped, too many were waiting.

// The connection to the broker came up or went away. Needed once after a change; a launcher that starts
// asks BoardApi::connected() itself.
bool post_connected(python::Runtime& runtime, bool connected);
// A message for a filter that Python subscribed to. None of the board's own commands.
bool post_message(python::Runtime& runtime, std::string_view topic, Bytes payload, bool retained, int qos,
                  bool duplicate);
// The level of a logger ("": the root) was changed from outside of Python.
bool post_log_level(python::Runtime& runtime, std::string_view logger, int level);
// A pin that Python watches changed.
bool post_pin(python::Runtime& runtime, std::string_view pin, bool level);

}  // namespace mqboard::board
