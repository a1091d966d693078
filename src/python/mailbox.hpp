// What other threads want of the Python thread, and what they may know of it: the state both sides share.
//
// Threads: everything is safe from any thread except where a method says "Python thread". A Mailbox outlives
// every interpreter instance of its Runtime.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "python/runtime.hpp"

namespace mqboard::python {

class Machine;

struct Job {
  enum class Kind : std::uint8_t { eval, exec, complete };

  JobId id = JobId::none;
  Kind kind = Kind::eval;
  std::string source;
  std::string name;
  std::shared_ptr<JobSink> sink;  // may be null for exec
};

struct Event {
  std::string name;
  std::vector<Value> args;
  std::size_t bytes = 0;
};

// A deferred host call that was answered.
struct Answer {
  std::uint32_t token = 0;
  HostResult result;
};

class Mailbox {
 public:
  Mailbox(const Limits& limits, Clock& clock) : limits_(limits), clock_(clock) {}

  // Queues the job, or answers it `refused`.
  JobId post(Job job);
  bool post(Event event);
  void post(unsigned generation, Answer answer);

  void interrupt();
  bool interrupt(JobId job);
  // From here on waits end at once, jobs are refused and what runs is interrupted.
  void stop();
  // Traps what runs.
  void kill();
  [[nodiscard]] Activity activity() const;
  void refuse_all(std::string_view why);

  // Python thread, from here on.

  // The instance that interrupts go to; null between instances, which also drops answers for the old one.
  void attach(Machine* machine, unsigned generation);

  // What runs from now on, inside what ran until now; end() returns to that. An interrupt that had not
  // reached the outer code waits for it; one that did not reach the inner code by its end is dropped.
  void begin(Activity::Kind kind, JobId job, std::string name);
  void end();

  enum class Wake : std::uint8_t { work, timeout, interrupted };
  // Waits for something to take, an interrupt, or `until`. Work is only looked for if `for_work`.
  Wake wait(Clock::Nanos until, bool for_work);
  // Waits for the answer to a deferred call, which is taken. Nothing: interrupted or past `until`.
  std::optional<Answer> wait_for_answer(std::uint32_t token, Clock::Nanos until, bool& interrupted);

  std::optional<Job> take_job();
  std::optional<Event> take_event();
  std::optional<Answer> take_answer();
  [[nodiscard]] bool stopping() const;

 private:
  struct Frame {
    Activity::Kind kind;
    JobId job;
    std::string name;
    Clock::Nanos since;
    bool outer_interrupted;
  };

  void interrupt_locked();

  const Limits limits_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::deque<Event> events_;
  std::deque<Answer> answers_;
  std::size_t event_bytes_ = 0;
  std::uint64_t events_dropped_ = 0;
  std::uint64_t last_job_ = 0;
  std::vector<Frame> running_;
  Machine* machine_ = nullptr;
  unsigned generation_ = 0;
  Clock::Nanos next_interrupt_{};  // not before
  bool waiting_ = false;
  bool stopping_ = false;
  std::string refuse_why_;
};

}  // namespace mqboard::python
