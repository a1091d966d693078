// mqboardd: runs one board as its configuration says.

#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "board/board.hpp"
#include "board/state_store.hpp"
#include "board/text.hpp"

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

// In memory: without mqboot it survives what this process survives.
class ProcessRtc final : public RtcMemory {
 public:
  std::vector<std::uint8_t> read() const override {
    const std::lock_guard lock(mutex_);
    return data_;
  }
  void write(Bytes data) override {
    const std::lock_guard lock(mutex_);
    data_.assign(data.begin(), data.end());
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::uint8_t> data_;
};

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

// The configuration that worked last, from the state directory the arguments name or the default one.
std::optional<Config> last_good(const Arguments& arguments) {
  const auto directory = arguments.state.empty() ? arguments.config.parent_path() / "state" : arguments.state;
  auto state = StateStore::open(directory);
  auto source = state ? state->good_config() : std::nullopt;
  if (!source) return std::nullopt;
  source->directory = arguments.config.parent_path();
  auto report = parse_config(*source);
  if (report.config) apply(arguments, *report.config);
  return std::move(report.config);
}

// Runs boards until one is stopped: without mqboot a reset makes the next in this process.
class Runner {
 public:
  Runner(Arguments arguments, Loaded loaded) : arguments_(std::move(arguments)), loaded_(std::move(loaded)) {}

  int run() {
    asio::io_context io(1);
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      stopping_ = true;
      if (board_) board_->stop();
    });
    asio::co_spawn(io, run_boards(&io, &signals), [](const std::exception_ptr& failed) {
      if (failed) std::rethrow_exception(failed);
    });
    io.run();
    return status_;
  }

 private:
  asio::awaitable<void> run_boards(asio::io_context* io, asio::signal_set* signals) {
    const auto rtc = std::make_shared<ProcessRtc>();
    auto cause = boot::ResetCause::power_on;
    bool safe_mode = false;
    while (!stopping_) {
      auto made = make(io, rtc, cause, safe_mode);
      if (!made) {
        complain(made.error());
        status_ = kCannotStart;
        break;
      }
      board_ = std::move(*made);
      const Ending ending = co_await board_->run();
      board_.reset();
      if (ending.request == boot::ResetRequest::none) break;
      cause = ending.request == boot::ResetRequest::soft         ? boot::ResetCause::soft_reset
              : ending.request == boot::ResetRequest::deep_sleep ? boot::ResetCause::deep_sleep
                                                                 : boot::ResetCause::hard_reset;
      safe_mode = ending.mode == boot::ModeRequest::safe;
      if (!stopping_) loaded_ = reload();
    }
    signals->cancel();
  }

  // A reset reads the configuration anew; a broken one is not used.
  Loaded reload() {
    Loaded next = load(arguments_);
    if (!next.config) {
      next.config = std::move(loaded_.config);
      next.source = std::move(loaded_.source);
    }
    return next;
  }

  std::expected<std::unique_ptr<Board>, std::string> make(asio::io_context* io,
                                                          std::shared_ptr<RtcMemory> rtc,
                                                          boot::ResetCause cause, bool safe_mode) {
    const Config& config = *loaded_.config;
    if (!make_directory(config.flash, 0777)) {
      return std::unexpected(concat("board.flash: ", config.flash.string(), ": ", std::strerror(errno)));
    }
    auto opened = StateStore::open(config.state);
    if (!opened) return std::unexpected(opened.error());
    const auto state = std::make_shared<StateStore>(std::move(*opened));
    Board::Options options;
    options.config = config;
    options.state = state;
    options.boot = {.unique_id = state->unique_id(),
                    .slot = "none",
                    .slot_state = "none",
                    .boot_count = state->count_boot(),
                    .reset_cause = cause,
                    .safe_mode = safe_mode};
    options.rtc = std::move(rtc);
    options.notes = loaded_.notes;
    if (arguments_.log_stderr) options.echo = echo_line;
    options.first_connected = [state, source = loaded_.source] {
      if (source) state->save_good_config(*source);
    };
    return Board::make(io->get_executor(), std::move(options));
  }

  Arguments arguments_;
  Loaded loaded_;
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
    loaded.config = last_good(*arguments);
    if (!loaded.config) return kBadConfig;
    complain("starting with the last configuration that worked");
    loaded.notes.push_back({Diagnostic::Kind::error, "running with the last configuration that worked"});
  }
  std::signal(SIGPIPE, SIG_IGN);
  return Runner(*arguments, std::move(loaded)).run();
}

}  // namespace
}  // namespace mqboard::board

int main(int argc, char** argv) { return mqboard::board::run(argc, argv); }
