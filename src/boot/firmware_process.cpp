#include "boot/firmware_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

extern char** environ;

namespace mqboard::boot {
namespace {

constexpr int kCannotExecute = 127;

// These belong to mqboot and its service manager.
constexpr std::string_view kNotPassedOn[] = {
    "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "MQBOARD_RTC=", "MQBOARD_SLOTS="};

std::vector<std::string> full_environment(const std::vector<std::string>& more) {
  std::vector<std::string> result = more;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    bool passed_on = true;
    for (const std::string_view name : kNotPassedOn)
      passed_on &= !std::string_view(*variable).starts_with(name);
    if (passed_on) result.emplace_back(*variable);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// In the child, where everything but system calls is over.
[[noreturn]] void become(const FirmwareProcess::Command& command, char* const* arguments,
                         char* const* environment, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kCannotExecute);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  ::fcntl(command.rtc_fd, F_SETFD, 0);
  if (command.executable) {
    ::syscall(SYS_execveat, command.executable.get(), "", arguments, environment, AT_EMPTY_PATH);
  } else {
    ::execve(command.path.c_str(), arguments, environment);
  }
  const char* const why = std::strerror(errno);
  for (const char* const part : {"mqboot: the firmware cannot be executed: ", why, "\n"}) {
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  ::_exit(kCannotExecute);
}

}  // namespace

std::optional<FirmwareProcess> FirmwareProcess::start(Command command) {
  std::vector<std::string> arguments = command.arguments;
  arguments.insert(arguments.begin(), "mqboardd");
  std::vector<std::string> environment = full_environment(command.environment);
  const auto argument_pointers = pointers(arguments);
  const auto environment_pointers = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return {};
  if (pid == 0) become(command, argument_pointers.data(), environment_pointers.data(), parent);
  ::setpgid(pid, pid);  // here too: kill_group() may come before the child has run
  port::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    errno = error;
    return {};
  }
  return FirmwareProcess(pid, std::move(pidfd));
}

FirmwareProcess::~FirmwareProcess() {
  if (!pidfd_ || reaped_) return;
  kill_group();
  (void)reap();
}

void FirmwareProcess::signal(int number) const {
  if (!reaped_) ::kill(pid_, number);
}

void FirmwareProcess::kill_group() const { ::kill(-pid_, SIGKILL); }

FirmwareProcess::End FirmwareProcess::reap() {
  // The group is killed while the dead process still keeps its number from being used again.
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &ended, WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
  kill_group();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  if (WIFSIGNALED(status)) return {.signalled = true, .code = WTERMSIG(status)};
  return {.signalled = false, .code = WEXITSTATUS(status)};
}

}  // namespace mqboard::boot
