#include "python/session.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "core/base/utf8.hpp"
#include "python/completion.hpp"
#include "python/digest.hpp"

namespace mqboard::python {

namespace {

using namespace std::chrono_literals;

// Functions of the host that _mqb.py calls by number; host modules follow.
enum Builtin : std::uint32_t {
  kPoll = 2,
  kSleep = 3,
  kCapture = 4,
  kWaitForAnswer = 5,
  kTicksUs = 6,
  kTimeNs = 7,
  kBorrowSource = 8,
  kRandom = 9,
  kSha1 = 10,
  kMd5 = 11,
  kJobName = 12,
  kEventArgument = 13,
  kAnswerToken = 14,
  kAnswerValue = 15,
  kAtTop = 16,
  kStopping = 17,
  kFirstModuleFunction = 18
};

constexpr std::int64_t kTicksMask = 0x3fffffff;  // the period of ticks_us, as of ticks_ms
// What kCapture redirects output into.
enum Capture : std::int64_t { kNothing = 0, kValue = 1, kTraceback = 2 };

// How the entry points of _mqb.py answer that they failed.
constexpr std::int64_t kFailed = -1;
constexpr std::int64_t kInterrupted = -2;

constexpr unsigned kMaxDepth = 4;       // jobs within a job's asyncio.run, and so on
constexpr unsigned kEventsAtOnce = 16;  // then tasks and jobs have their turn
constexpr auto kStatisticsInterval = 1s;
constexpr std::size_t kCrashSource = 256;
constexpr std::string_view kShimFrame = "  File \"/rom/_mqb.py\"";

constexpr std::string_view kBoot =
    "import sys\n"
    "sys.path[:] = ['/rom']\n"
    "import _mqb\n";

// The traceback as the programmer expects it: without the frames of the code that runs his code.
std::string without_shim(std::string_view traceback) {
  std::string result;
  while (!traceback.empty()) {
    const std::size_t end = std::min(traceback.find('\n'), traceback.size() - 1) + 1;
    const std::string_view line = traceback.substr(0, end);
    if (!line.starts_with(kShimFrame)) result += line;
    traceback.remove_prefix(end);
  }
  return result;
}

// How much of the beginning of a longer text can be told without cutting its last character.
std::size_t whole_characters(Bytes text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::uint8_t byte = text[text.size() - back];
    if ((byte & 0xC0) == 0x80) continue;
    return byte >= 0xC0 && utf8_sequence(text.last(back)) == 0 ? text.size() - back : text.size();
  }
  return text.size();
}

HostResult random_bytes(std::int64_t count) {
  constexpr std::int64_t kMost = 65536;
  if (count < 0 || count > kMost) return value_error("0 to 65536 bytes");
  ByteString bytes(static_cast<std::size_t>(count));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  return bytes;
}

// state, data -> new state; state, None -> digest
HostResult digest(DigestKind kind, std::span<const Argument> args) {
  const auto* state = args.size() == 2 ? std::get_if<Bytes>(&args[0]) : nullptr;
  if (state == nullptr) return type_error("expected bytes");
  const bool finish = std::holds_alternative<None>(args[1]);
  const auto* data = std::get_if<Bytes>(&args[1]);
  const auto* text = std::get_if<std::string_view>(&args[1]);
  if (!finish && data == nullptr && text == nullptr) return type_error("expected bytes");
  auto result =
      finish ? digest_finish(kind, *state) : digest_update(kind, *state, data ? *data : as_bytes(*text));
  if (!result) return value_error("not a state");
  return std::move(*result);
}

std::int64_t integer(std::span<const Argument> args, std::size_t index, std::int64_t otherwise) {
  if (index >= args.size()) return otherwise;
  const auto* value = std::get_if<std::int64_t>(&args[index]);
  return value == nullptr ? otherwise : *value;
}

}  // namespace

// Where what runs prints to: the sink of its job or the console. Parts of it are kept for the outcome.
class Session::Output {
 public:
  Output(Session& session, JobSink* sink) : session_(session), sink_(sink) {}

  void write(Stream stream, Bytes data) {
    if (captured != nullptr) {
      captured->append(as_text(data));
    } else if (sink_ != nullptr) {
      lines_.add(
          data, [this](Bytes line) { sink_->output(line); }, [](Bytes line) { return line.size(); });
    } else {
      session_.write_console(stream, data);
    }
  }
  void flush() {
    if (sink_ != nullptr) lines_.flush([this](Bytes line) { sink_->output(line); });
  }

  std::string value;
  std::string traceback;
  std::string* captured = nullptr;

 private:
  Session& session_;
  JobSink* sink_;
  LineSplitter lines_{kOutputChunk, true};
};

// Python code running for a reason, until the end of the scope. After a trap the traces stay for the report.
class Session::Running {
 public:
  Running(Session& session, Activity::Kind kind, JobId job, std::string name, Trace trace, Output& output)
      : session_(session), outer_(std::exchange(session.kind_, kind)) {
    session_.traces_.push_back(std::move(trace));
    session_.outputs_.push_back(&output);
    session_.mailbox_.begin(kind, job, std::move(name));
  }
  ~Running() {
    session_.mailbox_.end();
    session_.outputs_.pop_back();
    session_.kind_ = outer_;
    if (std::uncaught_exceptions() == unwinding_) session_.traces_.pop_back();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Session& session_;
  Activity::Kind outer_;
  int unwinding_ = std::uncaught_exceptions();
};

Session::Session(Shared& shared, unsigned generation, StatisticsSink& statistics)
    : shared_(shared),
      mailbox_(*shared.mailbox),
      clock_(shared.options.clock),
      observer_(shared.options.observer),
      generation_(generation),
      born_(clock_.monotonic()),
      statistics_(statistics),
      files_(shared.options.flash, shared.rom, shared.options.limits.open_files),
      border_(*this) {}

Session::~Session() { mailbox_.attach(nullptr, generation_); }

void Session::boot() {
  const Limits& limits = shared_.options.limits;
  machine_ = std::make_unique<Machine>(
      MachineLimits{.heap_bytes = static_cast<std::uint32_t>(limits.heap_bytes),
                    .pystack_words = static_cast<std::uint32_t>(limits.pystack_words),
                    .memory_bytes = static_cast<std::uint32_t>(limits.memory_bytes)},
      *this, files_, border_);
  border_.attach(*machine_);
  const auto booted = border_.execute(kBoot);
  if (!booted) throw Trap{"the interpreter's own modules do not load"};
  find_entry_points();
  mailbox_.attach(machine_.get(), generation_);
}

Callable Session::find(const char* name) {
  const auto found = border_.find("_mqb", name);
  if (!found) {
    report(found.error().traceback);
    throw Trap{"the interpreter's own modules do not load"};
  }
  return *found;
}

void Session::find_entry_points() {
  evaluate_ = find("_evaluate");
  execute_ = find("_execute");
  complete_ = find("_complete");
  deliver_ = find("_deliver");
  answer_ = find("_answer");
  run_tasks_ = find("_run_tasks");
}

void Session::run() {
  traces_.push_back({"start", ""});
  boot();
  traces_.clear();
  observer_.started(generation_);
  Clock::Nanos next_task = Clock::kForever;
  while (!mailbox_.stopping()) {
    flush();
    update_statistics();
    if (mailbox_.wait(next_task, true) == Mailbox::Wake::work) serve();
    if (mailbox_.stopping()) break;  // tasks would only be interrupted
    next_task = run_tasks();
  }
  flush();
}

Crash Session::crash(const Trap& trap) const {
  Crash crash{.cause = trap.cause, .running = "idle", .source = {}, .generation = generation_};
  crash.uptime = clock_.monotonic() - born_;
  if (!traces_.empty()) {
    crash.running = traces_.back().what;
    crash.source = traces_.back().source;
  }
  return crash;
}

Clock::Nanos Session::run_tasks() {
  Output output(*this, nullptr);
  const Running running(*this, Activity::Kind::task, JobId::none, "", {"tasks", ""}, output);
  const auto delay = call_reporting(run_tasks_, output);
  const auto* delay_ms = delay ? std::get_if<std::int64_t>(&*delay) : nullptr;
  if (delay_ms == nullptr) return clock_.monotonic();
  return *delay_ms < 0 ? Clock::kForever : deadline(*delay_ms);
}

void Session::serve() {
  ++depth_;
  if (auto job = mailbox_.take_job()) run_job(std::move(*job));
  for (unsigned i = 0; i < kEventsAtOnce; ++i) {
    auto answer = mailbox_.take_answer();
    if (!answer) break;
    deliver(std::move(*answer));
  }
  for (unsigned i = 0; i < kEventsAtOnce; ++i) {
    auto event = mailbox_.take_event();
    if (!event) break;
    deliver(std::move(*event));
  }
  --depth_;
}

void Session::run_job(Job job) {
  constexpr Activity::Kind kKinds[] = {Activity::Kind::eval, Activity::Kind::exec, Activity::Kind::complete};
  constexpr const char* kNames[] = {"eval", "exec ", "complete"};
  const auto kind = static_cast<std::size_t>(job.kind);
  Output output(*this, job.sink.get());
  Outcome outcome;
  try {
    const Running running(*this, kKinds[kind], job.id, job.name,
                          {kNames[kind] + job.name, job.source.substr(0, kCrashSource)}, output);
    outcome = perform(job, output);
  } catch (const Trap& trap) {
    if (job.sink) {
      job.sink->done({.status = Outcome::Status::crashed,
                      .text = std::string("interpreter crashed (") + trap.cause + ") and was restarted\n",
                      .exit_code = 1});
    }
    throw;
  }
  output.flush();
  if (job.sink) {
    job.sink->done(std::move(outcome));
  } else if (outcome.status == Outcome::Status::error || outcome.status == Outcome::Status::interrupted) {
    write_console(Stream::err, as_bytes(outcome.text));
  }
}

Outcome Session::perform(const Job& job, Output& output) {
  using Status = Outcome::Status;
  if (!is_utf8(as_bytes(job.source))) return failure(Status::error, "UnicodeError: source is not UTF-8\n");
  std::expected<Value, PythonError> result;
  try {
    const Border::Text source(*machine_, job.source);
    const Callable entry_points[] = {evaluate_, execute_, complete_};
    source_ = &source;
    name_ = job.name;
    result = border_.call(entry_points[static_cast<std::size_t>(job.kind)]);
  } catch (const std::bad_alloc&) {
    return failure(Status::error, "MemoryError: no room for the source\n");
  }
  if (!result) {
    const bool interrupted = result.error().type == "KeyboardInterrupt";
    return failure(interrupted ? Status::interrupted : Status::error, result.error().traceback);
  }
  Outcome outcome;
  if (const auto* code = std::get_if<std::int64_t>(&*result)) {
    if (*code == kFailed) return failure(Status::error, output.traceback);
    if (*code == kInterrupted) return failure(Status::interrupted, output.traceback);
    outcome.status = Status::exited;
    outcome.exit_code = static_cast<int>(*code);
  } else if (std::get_if<bool>(&*result) != nullptr && output.value.size() >= 3) {
    outcome.expression = true;  // the value was printed as the only element of a tuple
    outcome.text = output.value.substr(1, output.value.size() - 3);
  }
  return outcome;
}

Outcome Session::failure(Outcome::Status status, std::string_view traceback) const {
  return {.status = status, .text = without_shim(traceback), .exit_code = 1};
}

void Session::report(std::string_view traceback) {
  write_console(Stream::err, as_bytes(without_shim(traceback)));
}

std::expected<Value, PythonError> Session::call_reporting(Callable callable, Output& output) {
  auto result = border_.call(callable);
  if (!result) report(result.error().traceback);
  if (!output.traceback.empty()) report(output.traceback);
  return result;
}

void Session::deliver(Event event) {
  Output output(*this, nullptr);
  const Running running(*this, Activity::Kind::event, JobId::none, event.name, {"event " + event.name, ""},
                        output);
  event_ = &event;
  static_cast<void>(call_reporting(deliver_, output));
  event_ = nullptr;
}

void Session::deliver(Answer answer) {
  Output output(*this, nullptr);
  const Running running(*this, Activity::Kind::event, JobId::none, "answer", {"answer", ""}, output);
  answer_now_ = std::move(answer);
  static_cast<void>(call_reporting(answer_, output));
}

void Session::console(int descriptor, Bytes output) {
  const Stream stream = descriptor == 2 ? Stream::err : Stream::out;
  if (outputs_.empty()) return write_console(stream, output);
  outputs_.back()->write(stream, output);
}

void Session::write_console(Stream stream, Bytes output) {
  console_lines_[stream == Stream::err ? 1 : 0].add(
      output, [&](Bytes line) { observer_.console(stream, line); },
      [&](Bytes line) { return observer_.cut(line.first(whole_characters(line))); });
}

void Session::flush() {
  if (!outputs_.empty()) outputs_.back()->flush();
  for (const Stream stream : {Stream::out, Stream::err}) {
    console_lines_[stream == Stream::err ? 1 : 0].flush([&](Bytes line) { observer_.console(stream, line); });
  }
}

void Session::update_statistics() {
  const Clock::Nanos now = clock_.monotonic();
  if (now < statistics_due_) return;
  statistics_due_ = now + kStatisticsInterval;
  const HeapUse heap = machine_->heap_use();
  statistics_.update({.heap_used_bytes = heap.used_bytes,
                      .heap_free_bytes = heap.free_bytes,
                      .linear_bytes = machine_->memory().size(),
                      .collections = machine_->collections()});
}

std::uint32_t Session::ticks_ms() {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic() - born_).count());
}

double Session::utc_ms() {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(clock_.utc()).count());
}

Clock::Nanos Session::deadline(std::int64_t timeout_ms) const {
  if (timeout_ms < 0) return Clock::kForever;
  return clock_.monotonic() + std::chrono::milliseconds(timeout_ms);
}

void Session::poll(std::int64_t timeout_ms) {
  if (timeout_ms != 0) {
    flush();
    update_statistics();
  }
  switch (mailbox_.wait(deadline(timeout_ms), depth_ < kMaxDepth)) {
    case Mailbox::Wake::work:
      return serve();
    case Mailbox::Wake::interrupted:
      throw Interrupted{};
    case Mailbox::Wake::timeout:
      return;
  }
}

void Session::sleep(std::int64_t duration_ms) {
  flush();
  if (mailbox_.wait(deadline(std::max<std::int64_t>(duration_ms, 0)), false) == Mailbox::Wake::interrupted) {
    throw Interrupted{};
  }
}

HostResult Session::wait_for_answer(std::uint32_t token, std::int64_t timeout_ms) {
  flush();
  bool interrupted = false;
  auto answer = mailbox_.wait_for_answer(token, deadline(timeout_ms), interrupted);
  if (interrupted) throw Interrupted{};
  if (!answer) return os_error(ETIMEDOUT);
  return std::move(answer->result);
}

HostResult Session::call(std::uint32_t function, std::span<const Argument> args,
                         std::optional<std::uint32_t>& deferred) {
  if (function < kFirstModuleFunction) return call_builtin(function, args);
  const std::size_t index = function - kFirstModuleFunction;
  if (index >= shared_.functions.size()) return type_error("no such function");
  return call_module(shared_.functions[index], args, deferred);
}

HostResult Session::call_builtin(std::uint32_t function, std::span<const Argument> args) {
  using std::chrono::duration_cast;
  const std::int64_t first = integer(args, 0, 0);
  switch (function) {
    case kPoll:
      poll(first);
      break;
    case kSleep:
      sleep(first);
      break;
    case kCapture:
      capture(first);
      break;
    case kWaitForAnswer:
      return wait_for_answer(static_cast<std::uint32_t>(first), integer(args, 1, -1));
    case kTicksUs:
      return duration_cast<std::chrono::microseconds>(clock_.monotonic() - born_).count() & kTicksMask;
    case kTimeNs:
      return std::int64_t{clock_.utc().count()};
    case kBorrowSource:
      if (source_ != nullptr) std::exchange(source_, nullptr)->lend(static_cast<Address>(first));
      break;
    case kRandom:
      return random_bytes(first);
    case kSha1:
      return digest(DigestKind::sha1, args);
    case kMd5:
      return digest(DigestKind::md5, args);
    case kJobName:
      return name_;
    case kEventArgument:
      return event_argument(first);
    case kAnswerToken:
      return std::int64_t{answer_now_.token};
    case kAnswerValue:
      return std::move(answer_now_.result);
    case kAtTop:
      return (kind_ == Activity::Kind::eval || kind_ == Activity::Kind::exec) && depth_ < kMaxDepth;
    case kStopping:
      return mailbox_.stopping();
    default:
      return type_error("no such function");
  }
  return None{};
}

// Index 0 is the event's name, -1 asks how many there are.
HostResult Session::event_argument(std::int64_t index) const {
  if (event_ == nullptr) return None{};
  if (index == -1) return static_cast<std::int64_t>(event_->args.size() + 1);
  if (index == 0) return event_->name;
  const auto argument = static_cast<std::size_t>(index - 1);
  if (index < 0 || argument >= event_->args.size()) return None{};
  return event_->args[argument];
}

void Session::capture(std::int64_t what) {
  if (outputs_.empty()) return;
  Output& output = *outputs_.back();
  output.captured = what == kValue ? &output.value : what == kTraceback ? &output.traceback : nullptr;
}

namespace {

class ModuleCall final : public Call {
 public:
  ModuleCall(std::span<const Argument> args, std::weak_ptr<Mailbox> mailbox, unsigned generation,
             std::uint32_t token)
      : args_(args), mailbox_(std::move(mailbox)), generation_(generation), token_(token) {}

  std::span<const Argument> args() const override { return args_; }
  Completion defer() override {
    if (!state) state = std::make_shared<Completion::State>(mailbox_, generation_, token_);
    return Completion(state);
  }

  std::shared_ptr<Completion::State> state;  // if deferred

 private:
  std::span<const Argument> args_;
  std::weak_ptr<Mailbox> mailbox_;
  unsigned generation_;
  std::uint32_t token_;
};

}  // namespace

HostResult Session::call_module(const HostFunction& function, std::span<const Argument> args,
                                std::optional<std::uint32_t>& deferred) {
  const std::uint32_t token = (last_token_ + 1) & 0x3fffffff;
  ModuleCall call(args, shared_.mailbox, generation_, token);
  HostResult result;
  try {
    result = function(call);
  } catch (const Exception& exception) {
    result = std::unexpected(exception);
  } catch (const std::bad_alloc&) {
    result = std::unexpected(Exception{Exception::Type::memory_error, "host"});
  } catch (const std::exception& exception) {
    result = runtime_error(exception.what());
  }
  if (call.state && result) {
    last_token_ = token;
    deferred = token;
  } else if (call.state) {
    call.state->answered = true;  // nobody will wait for it
  }
  return result;
}

}  // namespace mqboard::python
