// One MicroPython 1.27 interpreter on one thread of its own.
//
// The interpreter is a sandbox: it sees the flash FileSystem, the ROM, the host modules and the clock it was
// given, nothing else of the machine. Its heap is fixed. Several Runtimes live in one process independently.
//
// Threads: every public method may be called from any thread unless it says otherwise. Sinks, the observer
// and host functions are called on the Python thread, one at a time; they may post to the Runtime but not
// call stop(). The FileSystem is used from the Python thread only, so a shared one must be thread-safe.
//
// Jobs start in the order posted. A job starts when the thread is idle, or while a program waits: in
// asyncio.run() between two of its tasks and in its idle wait, and at the top of the program (in none of its
// tasks and no handler) in time.sleep() and Deferred.wait(), so an application that runs forever does not
// keep evals out. Inside any other synchronous code (a busy loop, a sleep in a task) no job starts: like on a
// board, it waits for that code; interrupt() ends the wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/file_system.hpp"
#include "python/clock.hpp"
#include "python/host_module.hpp"
#include "python/rom.hpp"
#include "python/value.hpp"

namespace mqboard::python {

enum class JobId : std::uint64_t { none = 0 };

enum class Stream : std::uint8_t { out, err };

// How a job ended.
struct Outcome {
  enum class Status : std::uint8_t {
    ok,
    error,        // an exception, SystemExit excluded: `text` is the traceback as MicroPython prints it
    interrupted,  // KeyboardInterrupt; `text` as for error
    exited,       // SystemExit (scripts); exit_code says with what
    crashed,      // the interpreter died of a trap; `text` is one line. The Runtime restarts it
    refused  // never ran: the Runtime is stopped, stopping, or has too many jobs waiting; `text` says which
  };

  Status status = Status::ok;
  std::string text;  // ok: the repr of an expression's value ("" for statements); else see status
  int exit_code =
      0;  // 0 for ok; SystemExit's int argument, 0 for none, 1 for any other; 1 for everything else
  bool expression = false;  // eval only: the source was one expression
};

// Receives what one job prints and how it ended. Kept alive by the Runtime until done() returned.
class JobSink {
 public:
  virtual ~JobSink() = default;

  // A line of output with its newline, or a piece of one, at most kOutputChunk bytes; any bytes. A line left
  // unfinished comes when the program yields (sleep, await) or ends. May block: that is the back-pressure on
  // a program that prints without end.
  virtual void output(Bytes chunk) = 0;

  // Exactly once, after the last output; on the Python thread, or inside the posting call or stop() for a job
  // refused.
  virtual void done(Outcome outcome) = 0;
};

inline constexpr std::size_t kOutputChunk = 4096;

struct Crash {
  std::string cause;                  // e.g. "out of bounds memory access", "native stack exhausted"
  std::string running;                // what ran: "eval", "exec main.py", "event mqtt", "idle"
  std::string source;                 // beginning of the source of the running eval, at most 256 bytes
  unsigned generation;                // which instance died, from 1
  std::chrono::nanoseconds uptime{};  // of that instance
};

// What happens on the Python thread outside of jobs.
class Observer {
 public:
  virtual ~Observer() = default;

  // One line of console output (print and stderr outside of any job with a sink), without its newline, at
  // most kConsoleLine bytes: longer lines come in pieces. Any bytes. A line left unfinished is delivered when
  // the program yields.
  virtual void console(Stream stream, Bytes line) = 0;

  // How much of a line that is too long goes into the piece to be delivered now; 0 is as good as all of it.
  // `line` ends with a whole character.
  virtual std::size_t cut(Bytes line) { return line.size(); }

  // The interpreter trapped and is gone; waiting jobs remain and run in the next instance. True: start a
  // fresh instance now. False: refuse all jobs from here on (the Runtime must be stopped). The default
  // restarts.
  virtual bool crashed(const Crash&) { return true; }

  // A fresh instance (generation 1, 2, …) is ready; no job has run in it yet.
  virtual void started(unsigned generation) { static_cast<void>(generation); }
};

inline constexpr std::size_t kConsoleLine = 1024;

struct Limits {
  std::size_t heap_bytes = 512 * 1024;          // Python heap, fixed; 64 KiB at least
  std::size_t pystack_words = 4096;             // Python call frames, 4 bytes each
  std::size_t memory_bytes = 32 * 1024 * 1024;  // address space of the instance; resident is what it touches
  std::size_t jobs_waiting = 64;                // more are refused
  std::size_t source_bytes = 1024 * 1024;       // longer sources are refused
  std::size_t events_waiting = 256;             // see post_event
  std::size_t event_bytes = 1024 * 1024;
  std::size_t open_files = 16;  // then EMFILE
};

struct Options {
  FileSystem& flash;
  Observer& observer;  // outlives the Runtime, as do flash and clock
  Clock& clock = system_clock();
  Limits limits = {};
  std::vector<Rom> roms = {};  // overlaid in this order over the interpreter's own; the first match wins
  std::vector<HostModule> modules = {};
  std::string thread_name = "python";  // 15 bytes at most
};

// What runs now, for watchdogs and `info`.
struct Activity {
  enum class Kind : std::uint8_t { stopped, idle, eval, exec, complete, event, task } kind = Kind::stopped;
  JobId job = JobId::none;
  std::string name = {};            // script or event name
  std::chrono::nanoseconds for_{};  // how long the kind and job have been the same
  bool waiting = false;             // in a host wait (asyncio idle, time.sleep)
  std::size_t jobs_waiting = 0;
  std::size_t events_waiting = 0;
  std::uint64_t events_dropped = 0;
  unsigned generation = 0;
};

struct MemoryStats {  // as of the last time the Python thread yielded
  std::size_t heap_used_bytes = 0;
  std::size_t heap_free_bytes = 0;
  std::size_t linear_bytes = 0;  // the instance's whole memory, of which only touched pages are resident
  std::uint64_t collections = 0;
};

class Runtime {
 public:
  explicit Runtime(Options options);
  ~Runtime();  // stops
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Starts the thread and the first instance. Call once. Jobs may be posted before.
  void start();

  // Interrupts what runs, refuses what waits, joins the thread. Code that swallows KeyboardInterrupt is ended
  // by a trap. Idempotent; not from the Python thread.
  void stop();

  // Runs `source` in __main__: as an expression if it compiles as one (Outcome::text is the repr of its
  // value, "None" included), else as statements. What it prints goes to the sink, not to the console.
  JobId eval(std::string source, std::shared_ptr<JobSink> sink);

  // Runs a script as __main__; `name` appears in tracebacks. Live output goes to the sink; without a sink to
  // the console, and the traceback of an exception too.
  JobId exec(std::string source, std::string name, std::shared_ptr<JobSink> sink);

  // Completes the dotted name at the end of `prefix` in __main__. output() receives the candidates, one per
  // line; done() follows.
  JobId complete(std::string prefix, std::shared_ptr<JobSink> sink);

  // Raises KeyboardInterrupt in the Python code running now, also in a host wait. Code that awaits in
  // asyncio.run is interrupted as on a board: asyncio.run raises. Harmless when nothing runs. Within 5 ms of
  // another it counts as the same.
  void interrupt();
  // The same, if `job` is the innermost job running; a job that still waits is taken out of the queue and
  // answered `interrupted`. False when it was neither.
  bool interrupt(JobId job);

  // Queues an event. Python code receives it in the callable registered by `_mqb.on_event(name, callable)`;
  // a coroutine it returns is run as a task. Order is kept. When the queue is full (Limits) the new event is
  // dropped, counted, and false returned. An event nobody registered for is discarded at delivery.
  bool post_event(std::string_view name, std::vector<Value> args);

  [[nodiscard]] Activity activity() const;
  [[nodiscard]] MemoryStats memory() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mqboard::python
