#include "port/linux/death_note.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <typeinfo>

namespace mqboard::port {
namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
constexpr std::size_t kMaxFrames = 48;
constexpr std::size_t kSignalStack = 64 * 1024;
// A fault so little below the end of a stack is its overflow: a guard of this size is what ends it.
constexpr std::uintptr_t kOverflowReach = 1024 * 1024;
constexpr std::uintptr_t kPage = 4096;

std::optional<boot::RtcNote> death_note;
int dump_asked = -1;

// Of the calling thread, for its signal handler.
struct OwnStack {
  const char* thread = nullptr;
  std::uintptr_t end = 0;  // lowest address
};
constinit thread_local OwnStack own_stack;

// The stack on which a thread that has used up its own says so; as long as the thread lives.
class SignalStack {
 public:
  SignalStack() {
    memory_ = ::mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) return;
    const stack_t stack{.ss_sp = memory_, .ss_flags = 0, .ss_size = kSignalStack};
    ::sigaltstack(&stack, nullptr);
  }
  ~SignalStack() {
    if (memory_ == MAP_FAILED) return;
    const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
    ::sigaltstack(&none, nullptr);
    ::munmap(memory_, kSignalStack);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_;
};

// A line of bounded length, made without memory from the heap.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    const std::size_t count = std::min(text.size(), text_.size() - size_);
    std::copy_n(text.data(), count, text_.data() + size_);
    size_ += count;
    return *this;
  }
  Line& number(std::uintptr_t value, int base = 10) {
    if (base == 16) *this << "0x";
    char* const end = text_.data() + text_.size();
    const auto done = std::to_chars(text_.data() + size_, end, value, base);
    if (done.ec == std::errc{}) size_ = static_cast<std::size_t>(done.ptr - text_.data());
    return *this;
  }
  void write() {
    *this << "\n";
    death_note->append({text_.data(), size_});
  }

 private:
  std::array<char, 400> text_;
  std::size_t size_ = 0;
};

struct Frames {
  std::array<std::uintptr_t, kMaxFrames> addresses;
  std::size_t count = 0;
};

_Unwind_Reason_Code collect(_Unwind_Context* context, void* argument) {
  auto& frames = *static_cast<Frames*>(argument);
  int interrupted = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
  // What lies above the instruction a signal interrupted is its handler.
  if (interrupted != 0) frames.count = 0;
  if (address == 0 || frames.count == kMaxFrames) return _URC_END_OF_STACK;
  // A return address belongs to the call before it.
  frames.addresses[frames.count++] = interrupted != 0 ? address : address - 1;
  return _URC_NO_REASON;
}

void note_backtrace() {
  Frames frames;
  _Unwind_Backtrace(collect, &frames);
  for (std::size_t i = 0; i < frames.count; ++i) {
    const std::uintptr_t address = frames.addresses[i];
    Line line;
    line << "#";
    line.number(i) << " ";
    Dl_info info{};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of code, as the unwinder has it.
    if (::dladdr(reinterpret_cast<void*>(address), &info) == 0 || info.dli_fname == nullptr) {
      line.number(address, 16).write();
      continue;
    }
    const char* const slash = std::strrchr(info.dli_fname, '/');
    line << (slash == nullptr ? info.dli_fname : slash + 1) << "+";
    line.number(address - reinterpret_cast<std::uintptr_t>(info.dli_fbase), 16);
    if (info.dli_sname != nullptr) line << " " << info.dli_sname;
    line.write();
  }
}

void note_cause(std::string_view cause, std::string_view detail) {
  Line line;
  line << "cause: " << cause << " ";
  for (const char c : detail) line << (c == '\n' ? std::string_view(" ") : std::string_view(&c, 1));
  line.write();
}

bool is_overflow(int number, const siginfo_t& info) {
  if (own_stack.thread == nullptr || info.si_code == SI_USER) return false;
  if (number != SIGSEGV && number != SIGBUS) return false;
  const auto address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  return address < own_stack.end + kPage && address + kOverflowReach >= own_stack.end;
}

void note_overflow(int number) {
  std::array<char, 100> room;
  std::size_t size = 0;
  for (const std::string_view part :
       {number == SIGBUS ? "SIGBUS" : "SIGSEGV", ": stack overflow of thread ", own_stack.thread}) {
    size += part.copy(room.data() + size, room.size() - size);
  }
  note_cause("signal", {room.data(), size});
}

void note_signal(int number, const siginfo_t& info) {
  death_note->append("[backtrace]\n");
  Line line;
  line << "signal ";
  line.number(static_cast<std::uintptr_t>(number));
  if (info.si_code == SI_USER) {
    (line << " sent by process ").number(static_cast<std::uintptr_t>(info.si_pid));
  } else if (number == SIGSEGV || number == SIGBUS) {
    (line << " at address ").number(reinterpret_cast<std::uintptr_t>(info.si_addr), 16);
  }
  line.write();
  note_backtrace();
}

// Their disposition is the default again: should this fail too, the process dies with what it has said so
// far.
extern "C" void die_of_signal(int number, siginfo_t* info, void*) {
  if (is_overflow(number, *info)) note_overflow(number);
  note_signal(number, *info);
  ::raise(number);
}

extern "C" void dump_on_signal(int number, siginfo_t* info, void*) {
  const int error = errno;
  note_signal(number, *info);
  const std::uint64_t one = 1;
  if (dump_asked >= 0 && ::write(dump_asked, &one, sizeof one) < 0) dump_asked = -1;
  errno = error;
}

std::string type_name() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown";
  int status = 0;
  char* const demangled = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string name = demangled == nullptr ? type->name() : demangled;
  std::free(demangled);
  return name;
}

[[noreturn]] void die_of_exception() {
  try {
    if (const auto exception = std::current_exception()) std::rethrow_exception(exception);
    note_cause("cpp_exception", "std::terminate() was called");
  } catch (const std::bad_alloc& exception) {
    note_cause("out_of_memory", exception.what());
  } catch (const std::exception& exception) {
    note_cause("cpp_exception", type_name() + ": " + exception.what());
  } catch (...) {
    note_cause("cpp_exception", type_name());
  }
  std::abort();
}

}  // namespace

void note_overflow_of_this_thread(const char* thread) {
  static thread_local const SignalStack stack;
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
  void* lowest = nullptr;
  std::size_t bytes = 0;
  ::pthread_attr_getstack(&attributes, &lowest, &bytes);
  ::pthread_attr_destroy(&attributes);
  own_stack = {.thread = thread, .end = reinterpret_cast<std::uintptr_t>(lowest)};
}

void write_death_notes(boot::RtcNote note, int asked) {
  death_note = note;
  dump_asked = asked;
  note_overflow_of_this_thread("main");
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_sigaction = die_of_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (const int number : kFatal) ::sigaction(number, &action, nullptr);
  action.sa_sigaction = dump_on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigaction(SIGQUIT, &action, nullptr);
  std::set_terminate(die_of_exception);
  // The unwinder finds its tables now, not in a process that is broken.
  Frames frames;
  _Unwind_Backtrace(collect, &frames);
}

}  // namespace mqboard::port
