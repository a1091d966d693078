#include "python/runtime.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "python/mailbox.hpp"
#include "python/session.hpp"
#include "rom/python.hpp"

namespace mqboard::python {

namespace {

using namespace std::chrono_literals;

constexpr auto kStopRetry = 50ms;
constexpr unsigned kStopPatience = 40;  // retries before the code is ended by a trap

class Discard final : public JobSink {
 public:
  void output(Bytes) override {}
  void done(Outcome) override {}
};

std::string literal(const Value& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "True" : "False";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return "float('" + std::to_string(*number) + "')";
  const auto quoted = [](std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text = "b'";
    for (const char byte : bytes) {
      const auto code = static_cast<unsigned char>(byte);
      text.append({'\\', 'x', kDigits[code >> 4], kDigits[code & 15]});
    }
    return text + "'";
  };
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text) + ".decode()";
  if (const auto* bytes = std::get_if<ByteString>(&value)) return quoted(as_text(*bytes));
  return "None";
}

// The Python side of a host module.
std::string module_source(const HostModule& module, std::size_t first_function) {
  std::string text = "from _mqb import _function\n";
  for (std::size_t i = 0; i < module.functions.size(); ++i) {
    text += module.functions[i].name + " = _function(" + std::to_string(first_function + i) + ")\n";
  }
  for (const HostModule::Constant& constant : module.constants) {
    text += constant.name + " = " + literal(constant.value) + "\n";
  }
  return text + "del _function\n";
}

}  // namespace

class Runtime::Impl final : StatisticsSink {
 public:
  explicit Impl(Options options);
  ~Impl() { stop(); }

  void start();
  void stop();
  Mailbox& mailbox() { return *shared_.mailbox; }
  [[nodiscard]] MemoryStats memory() const {
    const std::lock_guard lock(mutex_);
    return memory_;
  }

 private:
  static void* thread_main(void* self);
  void run_sessions();
  bool run_session(unsigned generation);
  void update(const MemoryStats& stats) override {
    const std::lock_guard lock(mutex_);
    memory_ = stats;
  }

  std::vector<std::string> module_texts_;
  std::vector<std::string> module_paths_;
  std::vector<RomFile> module_files_;
  Shared shared_;
  mutable std::mutex mutex_;
  std::condition_variable finished_;
  MemoryStats memory_;
  pthread_t thread_{};
  bool running_ = false;
  bool ended_ = false;
};

Runtime::Impl::Impl(Options options)
    : shared_{.options = std::move(options), .rom = RomTree({}), .functions = {}, .mailbox = {}} {
  Options& own = shared_.options;
  own.limits.heap_bytes = std::max<std::size_t>(own.limits.heap_bytes, 64 * 1024);
  for (const HostModule& module : own.modules) {
    module_texts_.push_back(module_source(module, shared_.functions.size()));
    module_paths_.push_back(module.name + ".py");
    for (const HostModule::Function& function : module.functions) shared_.functions.push_back(function.call);
  }
  for (std::size_t i = 0; i < module_texts_.size(); ++i)
    module_files_.push_back({module_paths_[i], module_texts_[i]});
  std::vector<Rom> roms{module_files_};
  roms.insert(roms.end(), own.roms.begin(), own.roms.end());
  roms.push_back(rom::python);
  shared_.rom = RomTree(roms);
  shared_.mailbox = std::make_shared<Mailbox>(own.limits, own.clock);
}

void Runtime::Impl::start() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kNativeStackBytes);
  pthread_attr_setguardsize(&attributes, kNativeGuardBytes);
  const int status = pthread_create(&thread_, &attributes, thread_main, this);
  pthread_attr_destroy(&attributes);
  if (status != 0) throw std::runtime_error("cannot start the Python thread");
  running_ = true;
  pthread_setname_np(thread_, shared_.options.thread_name.substr(0, 15).c_str());
}

void Runtime::Impl::stop() {
  mailbox().stop();
  if (running_) {
    std::unique_lock lock(mutex_);
    for (unsigned tries = 0; !ended_; ++tries) {
      if (finished_.wait_for(lock, kStopRetry, [this] { return ended_; })) break;
      lock.unlock();
      mailbox().stop();
      if (tries >= kStopPatience) mailbox().kill();
      lock.lock();
    }
    lock.unlock();
    pthread_join(thread_, nullptr);
    running_ = false;
  }
  mailbox().refuse_all("stopped");
}

void* Runtime::Impl::thread_main(void* self) {
  static_cast<Impl*>(self)->run_sessions();
  return nullptr;
}

void Runtime::Impl::run_sessions() {
  for (unsigned generation = 1; !mailbox().stopping() && run_session(generation); ++generation) {
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  finished_.notify_all();
}

// True: start another.
bool Runtime::Impl::run_session(unsigned generation) {
  Crash crash;
  try {
    Session session(shared_, generation, *this);
    try {
      session.run();
      return false;
    } catch (const Trap& trap) {
      crash = session.crash(trap);
    } catch (const std::bad_alloc&) {
      crash = session.crash(Trap{"out of host memory"});
    }
  } catch (const std::bad_alloc&) {
    crash = {.cause = "out of host memory", .running = "start", .source = {}, .generation = generation};
  }
  if (mailbox().stopping()) return false;
  if (shared_.options.observer.crashed(crash)) return true;
  mailbox().refuse_all("the interpreter crashed: " + crash.cause);
  return false;
}

Runtime::Runtime(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Runtime::~Runtime() = default;

void Runtime::start() { impl_->start(); }
void Runtime::stop() { impl_->stop(); }

JobId Runtime::eval(std::string source, std::shared_ptr<JobSink> sink) {
  if (!sink) sink = std::make_shared<Discard>();
  return impl_->mailbox().post(
      Job{.kind = Job::Kind::eval, .source = std::move(source), .name = {}, .sink = std::move(sink)});
}

JobId Runtime::exec(std::string source, std::string name, std::shared_ptr<JobSink> sink) {
  return impl_->mailbox().post(Job{.kind = Job::Kind::exec,
                                   .source = std::move(source),
                                   .name = std::move(name),
                                   .sink = std::move(sink)});
}

JobId Runtime::complete(std::string prefix, std::shared_ptr<JobSink> sink) {
  if (!sink) sink = std::make_shared<Discard>();
  return impl_->mailbox().post(
      Job{.kind = Job::Kind::complete, .source = std::move(prefix), .name = {}, .sink = std::move(sink)});
}

void Runtime::interrupt() { impl_->mailbox().interrupt(); }
bool Runtime::interrupt(JobId job) { return impl_->mailbox().interrupt(job); }

bool Runtime::post_event(std::string_view name, std::vector<Value> args) {
  return impl_->mailbox().post(Event{.name = std::string(name), .args = std::move(args)});
}

Activity Runtime::activity() const { return impl_->mailbox().activity(); }
MemoryStats Runtime::memory() const { return impl_->memory(); }

}  // namespace mqboard::python
