// mqboardd: runs one board as its configuration says.

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "board/board.hpp"
#include "board/state_store.hpp"
#include "board/text.hpp"
#include "port/linux/boot_client.hpp"
#include "port/linux/death_note.hpp"

namespace mqboard::board {
namespace {

namespace asio = boost::asio;

enum ExitStatus { kStopped = 0, kCannotStart = 1, kUsage = 2, kBadConfig = 3 };

constexpr const char* kHelp =
    R"(usage: mqboardd [--config FILE] [OPTION...]

Runs a MicroPython board that is operated over MQTT.

  --config FILE   configuration (default: board.toml); secrets.toml beside it is read too
  --flash DIR     the board's flash, instead of board.flash
  --state DIR     what the board remembers outside its flash, instead of board.state
  --check         report what is wrong with the configuration, and end
  -v, --log-stderr    write the log to stderr too (default: when it is a terminal)
  -q, --quiet         do not
  --version, --help

exit status
  0   stopped by SIGTERM or SIGINT       2   usage
  1   the board cannot start             3   the configuration is wrong and no earlier one has worked
  70 to 73   under mqboot: see docs/BOOT.md
)";

struct Arguments {
  std::filesystem::path config = "board.toml";
  std::filesystem::path flash, state;
  bool check = false;
  bool log_stderr = ::isatty(STDERR_FILENO) != 0;
};

void complain(std::string_view line) {
  const std::string text = concat("mqboardd: ", line, "\n");
  static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()));
}

// Nothing: `status` says with what to end.
std::optional<Arguments> parse_arguments(int argc, char** argv, int& status) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    std::filesystem::path* path = option == "--config"  ? &arguments.config
                                  : option == "--flash" ? &arguments.flash
                                  : option == "--state" ? &arguments.state
                                                        : nullptr;
    if (path != nullptr) {
      if (++i == argc) return complain(concat(option, " needs a value")), status = kUsage, std::nullopt;
      *path = argv[i];
    } else if (option == "--check") {
      arguments.check = true;
    } else if (option == "-v" || option == "--log-stderr") {
      arguments.log_stderr = true;
    } else if (option == "-q" || option == "--quiet") {
      arguments.log_stderr = false;
    } else if (option == "--help" || option == "-h" || option == "--version") {
      std::fputs(option == "--version" ? "mqboardd " MQB_VERSION "\n" : kHelp, stdout);
      return status = 0, std::nullopt;
    } else {
      return complain(concat("unknown option ", option, ": see mqboardd --help")), status = kUsage,
                                                                                   std::nullopt;
    }
  }
  return arguments;
}

void echo_line(log::Level level, std::string_view line) {
  const bool colour = ::isatty(STDERR_FILENO) != 0;
  const char* begin = "";
  if (colour) {
    constexpr const char* kColours[] = {"", "\033[2m", "\033[32m", "\033[33;1m", "\033[31;1m", "\033[35;1m"};
    begin = kColours[static_cast<std::size_t>(level)];
  }
  const std::string text = concat(std::string_view(begin), line, colour ? "\033[0m\n" : "\n");
  static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()));
}

// The configuration to run with; reports to stderr what is wrong. `good`: it is board.toml itself.
struct Loaded {
  std::optional<Config> config;
  std::vector<Diagnostic> notes;
  std::optional<ConfigSource> source;
};

void apply(const Arguments& arguments, Config& config) {
  if (!arguments.flash.empty()) config.flash = arguments.flash;
  if (!arguments.state.empty()) config.state = arguments.state;
}

Loaded load(const Arguments& arguments) {
  Loaded loaded;
  auto files = read_config_files(arguments.config);
  loaded.notes = std::move(files.diagnostics);
  if (files.source) {
    auto report = parse_config(*files.source);
    loaded.notes.insert(loaded.notes.end(), report.diagnostics.begin(), report.diagnostics.end());
    loaded.config = std::move(report.config);
    if (loaded.config) loaded.source = std::move(files.source);
  }
  for (const auto& note : loaded.notes) {
    complain(concat(note.kind == Diagnostic::Kind::warning ? "warning: " : "", note.text));
  }
  if (loaded.config) apply(arguments, *loaded.config);
  return loaded;
}

// Where the state is when there is no configuration that says so.
std::filesystem::path default_state(const Arguments& arguments) {
  return arguments.state.empty() ? arguments.config.parent_path() / "state" : arguments.state;
}

// The configuration that worked last.
std::optional<Config> last_good(const Arguments& arguments, const std::filesystem::path& directory) {
  auto state = StateStore::open(directory);
  auto source = state ? state->good_config() : std::nullopt;
  if (!source) return std::nullopt;
  source->directory = arguments.config.parent_path();
  auto report = parse_config(*source);
  if (report.config) apply(arguments, *report.config);
  return std::move(report.config);
}

// Runs boards until one is stopped, or mqboot has to make the next: a soft reset, and without mqboot every
// reset, makes a new board in this process.
class Runner {
 public:
  // `starving`: an eventfd that mqboot's SIGQUIT increments.
  Runner(Arguments arguments, Loaded loaded, std::shared_ptr<port::BootClient> boot, port::Fd starving)
      : arguments_(std::move(arguments)),
        loaded_(std::move(loaded)),
        boot_(std::move(boot)),
        stop_(io_),
        sleep_(io_),
        starving_(io_, starving.release()) {}

  int run() {
    stop_.add(SIGTERM);
    stop_.add(SIGINT);
    stop_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      stopping_ = true;
      sleep_.cancel();
      if (board_) board_->stop();
    });
    starving_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           if (!error && board_) board_->explain_starving();
                         });
    asio::co_spawn(io_, run_boards(), [](const std::exception_ptr& failed) {
      if (failed) std::rethrow_exception(failed);
    });
    io_.run();
    return status_;
  }

 private:
  asio::awaitable<void> run_boards() {
    while (!stopping_) {
      auto made = make();
      if (!made) {
        complain(made.error());
        status_ = kCannotStart;
        break;
      }
      board_ = std::move(*made);
      const Ending ending = co_await board_->run();
      board_.reset();
      if (stopping_ || ending.request == boot::ResetRequest::none) break;
      if (!co_await begin_again(ending)) break;
      loaded_ = reload();
    }
    stop_.cancel();
    starving_.cancel();
  }

  // False: the process has to end, with status_.
  asio::awaitable<bool> begin_again(Ending ending) {
    if (ending.request == boot::ResetRequest::soft && boot_->begin_soft_reset()) co_return true;
    if (boot_->under_mqboot()) {
      status_ = boot_->prepare_reset(ending.request, ending.mode, ending.origin, ending.sleep);
      co_return false;
    }
    auto cause = ending.starved ? boot::ResetCause::watchdog : boot::ResetCause::hard_reset;
    if (ending.request == boot::ResetRequest::deep_sleep) {
      cause = boot::ResetCause::deep_sleep;
      sleep_.expires_after(ending.sleep.count() == 0 ? boot::kMaxDeepSleep
                                                     : std::min(ending.sleep, boot::kMaxDeepSleep));
      co_await sleep_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    boot_->restart_in_process(cause, ending.mode, ending.origin);
    co_return !stopping_;
  }

  // A reset reads the configuration anew; a broken one is not used, and in safe mode the one that has worked.
  Loaded reload() {
    Loaded next = load(arguments_);
    if (!next.config) {
      next.config = std::move(loaded_.config);
      next.source.reset();
    }
    return next;
  }

  std::expected<std::unique_ptr<Board>, std::string> make() {
    if (boot_->system().safe_mode()) {
      auto good = last_good(arguments_, loaded_.config->state);
      if (!good) good = last_good(arguments_, default_state(arguments_));
      if (good) {
        loaded_.config = std::move(good);
        loaded_.source.reset();  // what board.toml says has proved nothing
      }
    }
    const Config& config = *loaded_.config;
    if (!make_directory(config.flash, 0777)) {
      return std::unexpected(concat("board.flash: ", config.flash.string(), ": ", std::strerror(errno)));
    }
    auto opened = StateStore::open(config.state);
    if (!opened) return std::unexpected(opened.error());
    const auto state = std::make_shared<StateStore>(std::move(*opened));
    Board::Options options;
    options.config = config;
    options.unique_id = state->unique_id();
    options.boot = boot_;
    options.state = state;
    options.notes = loaded_.notes;
    if (arguments_.log_stderr) options.echo = echo_line;
    options.first_connected = [state, source = loaded_.source] {
      if (source) state->save_good_config(*source);
    };
    return Board::make(io_.get_executor(), std::move(options));
  }

  Arguments arguments_;
  Loaded loaded_;
  std::shared_ptr<port::BootClient> boot_;
  asio::io_context io_{1};
  asio::signal_set stop_;
  asio::steady_timer sleep_;
  asio::posix::stream_descriptor starving_;
  std::unique_ptr<Board> board_;
  bool stopping_ = false;
  int status_ = kStopped;
};

int run(int argc, char** argv) {
  int status = 0;
  const auto arguments = parse_arguments(argc, argv, status);
  if (!arguments) return status;
  Loaded loaded = load(*arguments);
  if (arguments->check) return loaded.config ? kStopped : kBadConfig;
  if (!loaded.config) {
    loaded.config = last_good(*arguments, default_state(*arguments));
    if (!loaded.config) return kBadConfig;
    complain("starting with the last configuration that worked");
    loaded.notes.push_back({Diagnostic::Kind::error, "running with the last configuration that worked"});
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (!make_directory(loaded.config->state, 0700)) {
    complain(concat("board.state: ", loaded.config->state.string(), ": ", std::strerror(errno)));
    return kCannotStart;
  }
  const auto most = static_cast<std::uint8_t>(std::min(loaded.config->safe_mode_after, 255U));
  auto boot = port::BootClient::connect({(loaded.config->state / "slots").string(), most});
  if (!boot) {
    complain(boot.error());
    return kCannotStart;
  }
  port::Fd starving(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (boot->under_mqboot()) {
    boot->rtc().firmware_version().append(MQB_VERSION);
    port::write_death_notes(boot->rtc().crash_note(), starving.get());
  }
  // Not destroyed: until the very end of the process its RTC memory may take a death note.
  static const auto& lasting =
      *new std::shared_ptr<port::BootClient>(std::make_shared<port::BootClient>(std::move(*boot)));
  return Runner(*arguments, std::move(loaded), lasting, std::move(starving)).run();
}

}  // namespace
}  // namespace mqboard::board

int main(int argc, char** argv) { return mqboard::board::run(argc, argv); }
