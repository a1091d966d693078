#include "python/mailbox.hpp"

#include <algorithm>
#include <utility>

#include "python/machine.hpp"

namespace mqboard::python {

namespace {

// An interrupt is not followed by another while Python handles the first.
constexpr std::chrono::milliseconds kInterruptInterval{5};

std::size_t size_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  if (const auto* bytes = std::get_if<ByteString>(&value)) return bytes->size();
  return 0;
}

void refuse(const Job& job, std::string_view why) {
  if (job.sink)
    job.sink->done({.status = Outcome::Status::refused, .text = std::string(why), .exit_code = 1});
}

}  // namespace

JobId Mailbox::post(Job job) {
  std::string_view why;
  {
    const std::lock_guard lock(mutex_);
    job.id = JobId{++last_job_};
    if (!refuse_why_.empty()) {
      why = refuse_why_;
    } else if (job.source.size() > limits_.source_bytes) {
      why = "source too long";
    } else if (jobs_.size() >= limits_.jobs_waiting) {
      why = "too many jobs waiting";
    } else {
      jobs_.push_back(job);
      wake_.notify_all();
      return job.id;
    }
  }
  refuse(job, why);
  return job.id;
}

bool Mailbox::post(Event event) {
  event.bytes = event.name.size();
  for (const Value& value : event.args) event.bytes += size_of(value);
  const std::lock_guard lock(mutex_);
  if (!refuse_why_.empty() || events_.size() >= limits_.events_waiting ||
      event_bytes_ + event.bytes > limits_.event_bytes) {
    ++events_dropped_;
    return false;
  }
  event_bytes_ += event.bytes;
  events_.push_back(std::move(event));
  wake_.notify_all();
  return true;
}

void Mailbox::post(unsigned generation, Answer answer) {
  const std::lock_guard lock(mutex_);
  if (generation != generation_ || machine_ == nullptr) return;
  answers_.push_back(std::move(answer));
  wake_.notify_all();
}

void Mailbox::interrupt_locked() {
  if (running_.empty() || machine_ == nullptr) return;
  const Clock::Nanos now = clock_.monotonic();
  if (now < next_interrupt_) return;
  next_interrupt_ = now + kInterruptInterval;
  machine_->interrupt();
  wake_.notify_all();
}

void Mailbox::interrupt() {
  const std::lock_guard lock(mutex_);
  interrupt_locked();
}

bool Mailbox::interrupt(JobId job) {
  Job waiting;
  {
    const std::lock_guard lock(mutex_);
    if (!running_.empty() && running_.back().job == job) {
      interrupt_locked();
      return true;
    }
    const auto found = std::ranges::find(jobs_, job, &Job::id);
    if (found == jobs_.end()) return false;
    waiting = std::move(*found);
    jobs_.erase(found);
  }
  if (waiting.sink) {
    waiting.sink->done(
        {.status = Outcome::Status::interrupted, .text = "KeyboardInterrupt\n", .exit_code = 1});
  }
  return true;
}

void Mailbox::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (refuse_why_.empty()) refuse_why_ = "stopped";
  interrupt_locked();
  wake_.notify_all();
}

void Mailbox::kill() {
  const std::lock_guard lock(mutex_);
  if (machine_ != nullptr) machine_->kill();
}

Activity Mailbox::activity() const {
  const std::lock_guard lock(mutex_);
  Activity now{.jobs_waiting = jobs_.size(),
               .events_waiting = events_.size(),
               .events_dropped = events_dropped_,
               .generation = generation_};
  if (machine_ == nullptr) return now;
  now.waiting = waiting_;
  now.kind = Activity::Kind::idle;
  if (running_.empty()) return now;
  const Frame& frame = running_.back();
  now.kind = frame.kind;
  now.job = frame.job;
  now.name = frame.name;
  now.for_ = clock_.monotonic() - frame.since;
  return now;
}

void Mailbox::refuse_all(std::string_view why) {
  std::deque<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    refuse_why_ = why;
    jobs.swap(jobs_);
    events_.clear();
    event_bytes_ = 0;
  }
  for (const Job& job : jobs) refuse(job, why);
}

void Mailbox::attach(Machine* machine, unsigned generation) {
  const std::lock_guard lock(mutex_);
  machine_ = machine;
  generation_ = generation;
  answers_.clear();
  running_.clear();
  next_interrupt_ = {};
}

void Mailbox::begin(Activity::Kind kind, JobId job, std::string name) {
  const std::lock_guard lock(mutex_);
  const bool outer_interrupted = machine_ != nullptr && machine_->take_interrupt();
  next_interrupt_ = {};
  running_.push_back({kind, job, std::move(name), clock_.monotonic(), outer_interrupted});
  if (stopping_) interrupt_locked();
}

void Mailbox::end() {
  const std::lock_guard lock(mutex_);
  if (machine_ != nullptr) machine_->take_interrupt();
  next_interrupt_ = {};
  bool outer_interrupted = stopping_;
  if (!running_.empty()) {
    outer_interrupted = outer_interrupted || running_.back().outer_interrupted;
    running_.pop_back();
  }
  if (outer_interrupted) interrupt_locked();
}

Mailbox::Wake Mailbox::wait(Clock::Nanos until, bool for_work) {
  std::unique_lock lock(mutex_);
  Wake wake = Wake::timeout;
  waiting_ = true;
  for (;;) {
    if (for_work && !(jobs_.empty() && events_.empty() && answers_.empty())) {
      wake = Wake::work;
      break;
    }
    if (machine_->take_interrupt() || stopping_) {
      wake = Wake::interrupted;
      break;
    }
    if (clock_.monotonic() >= until) break;
    clock_.wait(lock, wake_, until);
  }
  waiting_ = false;
  return wake;
}

std::optional<Answer> Mailbox::wait_for_answer(std::uint32_t token, Clock::Nanos until, bool& interrupted) {
  std::unique_lock lock(mutex_);
  std::optional<Answer> answer;
  waiting_ = true;
  for (;;) {
    const auto found = std::ranges::find(answers_, token, &Answer::token);
    if (found != answers_.end()) {
      answer = std::move(*found);
      answers_.erase(found);
      break;
    }
    if (machine_->take_interrupt() || stopping_) {
      interrupted = true;
      break;
    }
    if (clock_.monotonic() >= until) break;
    clock_.wait(lock, wake_, until);
  }
  waiting_ = false;
  return answer;
}

std::optional<Job> Mailbox::take_job() {
  const std::lock_guard lock(mutex_);
  if (jobs_.empty() || stopping_) return {};
  std::optional<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

std::optional<Event> Mailbox::take_event() {
  const std::lock_guard lock(mutex_);
  if (events_.empty()) return {};
  std::optional<Event> event = std::move(events_.front());
  events_.pop_front();
  event_bytes_ -= event->bytes;
  return event;
}

std::optional<Answer> Mailbox::take_answer() {
  const std::lock_guard lock(mutex_);
  if (answers_.empty()) return {};
  std::optional<Answer> answer = std::move(answers_.front());
  answers_.pop_front();
  return answer;
}

bool Mailbox::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

}  // namespace mqboard::python
