#include "port/linux/death_note.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>

#include "core/boot/crash_report.hpp"
#include "port/linux/fd.hpp"
#include "port/linux/rtc_mapping.hpp"

namespace mqboard::port {
namespace {

using boot::CrashCause;
using testing::ContainsRegex;
using testing::HasSubstr;

// Calls itself until the stack ends. Each frame is written to at its far end only, as one that holds a large
// array is: a guard of a page would be jumped over.
int overflow(int depth) {
  volatile char frame[20'000];
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : overflow(depth + 1) + frame[0];
}

void in_thread(void* (*run)(void*)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setguardsize(&attributes, std::size_t{1024} * 1024);
  pthread_t thread{};
  pthread_create(&thread, &attributes, run, nullptr);
  pthread_join(thread, nullptr);
}

class DeathNoteTest : public testing::Test {
 protected:
  DeathNoteTest() : rtc_(*RtcMapping::create()) { rtc_.memory().format(); }

  // The signal that ended a process which wrote death notes and then did `last`.
  template<class Last>
  int die(Last last) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_DUMPABLE, 0);  // no core files
      write_death_notes(rtc_.memory().crash_note(), asked_.get());
      last();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
  }

  // … of an exception nobody catches.
  template<class Exception>
  int die_of(const Exception& exception) {
    return die([&exception] {
      const std::function<void()> throws = [&exception] { throw exception; };
      [&throws]() noexcept { throws(); }();
    });
  }

  boot::CrashNote note() { return boot::split_crash_note(rtc_.memory().crash_note().text()); }

  RtcMapping rtc_;
  Fd asked_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

TEST_F(DeathNoteTest, SignalOfSomebodyElse_NotesTheSenderAndFramesAndKills) {
  EXPECT_EQ(die([] { ::raise(SIGBUS); }), SIGBUS);
  EXPECT_FALSE(note().cause);
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("^signal 7"));
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("#0 libc[^ ]*\\+0x[0-9a-f]+"));
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("#[0-9]+ mqb_port_test\\+0x[0-9a-f]+"));
}

TEST_F(DeathNoteTest, Abort_BeginsWithTheInterruptedFrameNotTheHandler) {
  EXPECT_EQ(die([] { std::abort(); }), SIGABRT);
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("abort"));
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("#0 libc"));
}

TEST_F(DeathNoteTest, UncaughtException_IsTheCauseWithItsTypeAndText) {
  EXPECT_EQ(die_of(std::runtime_error("no\nway")), SIGABRT);
  EXPECT_EQ(note().cause, CrashCause::cpp_exception);
  EXPECT_EQ(note().detail, "std::runtime_error: no way");
  EXPECT_THAT(std::string(note().backtrace), HasSubstr("#1 "));
}

TEST_F(DeathNoteTest, FailedAllocation_IsOutOfMemory) {
  EXPECT_EQ(die_of(std::bad_alloc()), SIGABRT);
  EXPECT_EQ(note().cause, CrashCause::out_of_memory);
}

TEST_F(DeathNoteTest, ThrownNumber_IsACppExceptionOfItsType) {
  EXPECT_EQ(die_of(5), SIGABRT);
  EXPECT_EQ(note().detail, "int");
}

TEST_F(DeathNoteTest, OverflowOfTheFirstThread_IsTheDetailAndHasItsFrames) {
  EXPECT_EQ(die([] { overflow(0); }), SIGSEGV);
  EXPECT_EQ(note().cause, CrashCause::signal);
  EXPECT_EQ(note().detail, "SIGSEGV: stack overflow of thread main");
  EXPECT_THAT(std::string(note().backtrace),
              ContainsRegex("^signal 11 at address 0x[0-9a-f]+\n#0 mqb_port_test\\+0x[0-9a-f]+"));
}

TEST_F(DeathNoteTest, OverflowOfAnotherThread_NamesIt) {
  const auto run = [](void*) -> void* {
    note_overflow_of_this_thread("python");
    overflow(0);
    return nullptr;
  };
  EXPECT_EQ(die([run] { in_thread(run); }), SIGSEGV);
  EXPECT_EQ(note().detail, "SIGSEGV: stack overflow of thread python");
  EXPECT_THAT(std::string(note().backtrace), HasSubstr("#20 mqb_port_test"));
}

TEST_F(DeathNoteTest, FaultElsewhere_IsNoOverflow) {
  EXPECT_EQ(die([] {
              void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              *static_cast<volatile char*>(page) = 1;
            }),
            SIGSEGV);
  EXPECT_FALSE(note().cause);
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("^signal 11 at address 0x[0-9a-f]+\n#0 "));
}

// Its stack for signals goes with the thread.
TEST_F(DeathNoteTest, ThreadThatHasEnded_LeavesTheOthersTheirNotes) {
  const auto run = [](void*) -> void* {
    note_overflow_of_this_thread("short");
    return nullptr;
  };
  EXPECT_EQ(die([run] {
              in_thread(run);
              overflow(0);
            }),
            SIGSEGV);
  EXPECT_EQ(note().detail, "SIGSEGV: stack overflow of thread main");
}

TEST_F(DeathNoteTest, Quit_NotesABacktraceAndGoesOn) {
  EXPECT_EQ(die([] { ::raise(SIGQUIT); }), -1);
  EXPECT_THAT(std::string(note().backtrace), ContainsRegex("^signal 3"));
  std::uint64_t times = 0;
  EXPECT_EQ(::read(asked_.get(), &times, sizeof times), static_cast<ssize_t>(sizeof times));
  EXPECT_EQ(times, 1u);
}

}  // namespace
}  // namespace mqboard::port
