// One interpreter instance at work: takes jobs, events and answers from the mailbox, runs them, serves the
// host functions. Lives on the Python thread, ends by the mailbox stopping or by a Trap.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "python/border.hpp"
#include "python/file_bridge.hpp"
#include "python/line_splitter.hpp"
#include "python/machine.hpp"
#include "python/mailbox.hpp"

namespace mqboard::python {

// What all instances of a Runtime share.
struct Shared {
  Options options;
  RomTree rom;
  std::vector<HostFunction> functions;  // of the host modules, by number
  std::shared_ptr<Mailbox> mailbox;
};

// Receives heap statistics when the thread yields.
class StatisticsSink {
 public:
  virtual void update(const MemoryStats& stats) = 0;

 protected:
  ~StatisticsSink() = default;
};

class Session final : public Platform, public HostFunctions {
 public:
  Session(Shared& shared, unsigned generation, StatisticsSink& statistics);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Serves until the mailbox stops. Throws Trap when the instance is lost; crash() then says what ran.
  void run();
  [[nodiscard]] Crash crash(const Trap& trap) const;

 private:
  class Output;
  class Running;

  // Platform
  void console(int descriptor, Bytes output) override;
  std::uint32_t ticks_ms() override;
  double utc_ms() override;
  // HostFunctions
  HostResult call(std::uint32_t function, std::span<const Argument> args,
                  std::optional<std::uint32_t>& deferred) override;
  HostResult call_module(const HostFunction& function, std::span<const Argument> args,
                         std::optional<std::uint32_t>& deferred);

  void boot();
  void find_entry_points();
  Callable find(const char* name);
  Clock::Nanos run_tasks();
  void serve();
  void run_job(Job job);
  Outcome perform(const Job& job, Output& output);
  Outcome failure(Outcome::Status status, std::string_view traceback) const;
  void deliver(Event event);
  void deliver(Answer answer);
  std::expected<Value, PythonError> call_reporting(Callable callable, Output& output);
  void report(std::string_view traceback);
  HostResult call_builtin(std::uint32_t function, std::span<const Argument> args);
  HostResult event_argument(std::int64_t index) const;
  void capture(std::int64_t what);
  void poll(std::int64_t timeout_ms);
  void sleep(std::int64_t duration_ms);
  HostResult wait_for_answer(std::uint32_t token, std::int64_t timeout_ms);
  [[nodiscard]] Clock::Nanos deadline(std::int64_t timeout_ms) const;
  void flush();
  void write_console(Stream stream, Bytes output);
  void update_statistics();

  Shared& shared_;
  Mailbox& mailbox_;
  Clock& clock_;
  Observer& observer_;
  const unsigned generation_;
  const Clock::Nanos born_;
  StatisticsSink& statistics_;
  Clock::Nanos statistics_due_{};
  FileBridge files_;
  Border border_;
  std::unique_ptr<Machine> machine_;
  Callable evaluate_{}, execute_{}, complete_{}, deliver_{}, answer_{}, run_tasks_{};
  std::vector<Output*> outputs_;  // of what runs, innermost last
  LineSplitter console_lines_[2] = {{kConsoleLine, false}, {kConsoleLine, false}};
  // What the innermost job, event or answer consists of, until Python fetched it.
  const Border::Text* source_ = nullptr;
  std::string name_;
  const Event* event_ = nullptr;
  Answer answer_now_;
  unsigned depth_ = 0;                          // of serve() within serve()
  Activity::Kind kind_ = Activity::Kind::idle;  // of what runs, innermost
  std::uint32_t last_token_ = 0;
  // For crash reports: what runs, innermost last.
  struct Trace {
    std::string what;
    std::string source;
  };
  std::vector<Trace> traces_;
};

}  // namespace mqboard::python
