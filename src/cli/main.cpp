// mqboard: from the command line to the exit status.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "cli/command_line.hpp"
#include "cli/profile.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

Result<Settings> settle(const Invocation& invocation) {
  Layer environment = environment_layer(std::getenv);
  const char* const named = std::getenv("MQBOARD_BOARD");
  const bool chosen_here = !invocation.board.empty();
  const std::string board = chosen_here ? invocation.board : named != nullptr ? named : "";
  const auto profiles = Profiles::load(profiles_path(std::getenv));
  if (!profiles) return std::unexpected(profiles.error());
  auto profile = profiles->find(board);
  if (!profile) return std::unexpected(profile.error());
  std::vector<Layer> layers{invocation.options, environment};
  if (*profile) {
    // -b on the command line is the board's address given there.
    if (chosen_here && ((*profile)->get(Key::prefix) || (*profile)->get(Key::topic))) {
      layers[1].clear(Key::prefix), layers[1].clear(Key::topic);
    }
    layers.push_back(std::move(**profile));
  }
  return resolve(layers);
}

// Whether the verb is of one board, and whether that must be online.
struct Demands {
  bool board = true;
  bool online = true;
};

Demands demands(const Command& command) {
  if (std::holds_alternative<View>(command)) return {.board = false, .online = false};
  if (std::holds_alternative<Discover>(command)) return {.board = false, .online = false};
  return {};
}

Done run(Command command, Context context) {
  if (!demands(command).online) context.session.allow_offline();
  context.session.begin();
  auto done = co_await std::visit([&](auto& verb) { return perform(std::move(verb), context); }, command);
  co_await context.session.end();
  co_return done;
}

// Ctrl-C ends what waits, so that temporary files are removed and the broker is told.
void interrupt_on(asio::signal_set& signals, Session& session) {
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    session.interrupt();
    interrupt_on(signals, session);
  });
}

Result<> run_until_done(Command command, const Settings& settings, Console& console) {
  asio::io_context io(1);
  Session session(io.get_executor(), settings, console);
  asio::signal_set signals(io, SIGINT, SIGTERM);
  interrupt_on(signals, session);
  std::optional<Result<>> outcome;
  asio::co_spawn(io, run(std::move(command), Context{settings, console, session}),
                 [&](const std::exception_ptr& exception, Result<> result) {
                   if (exception) std::rethrow_exception(exception);
                   outcome = std::move(result);
                   io.stop();
                 });
  io.run();
  return *outcome;
}

// Verbs without a connection take no more than the form of their output from the settings.
void configure_output(Console& console, const Invocation& invocation) {
  const Layer layers[] = {invocation.options, environment_layer(std::getenv)};
  Layer output;
  for (const Key key : {Key::output, Key::verbose, Key::quiet, Key::color}) {
    for (const Layer& layer : layers) {
      if (!output.get(key) && layer.get(key)) output.set(key, *layer.get(key));
    }
  }
  if (const auto settings = resolve({&output, 1})) console.configure(*settings);
}

int finish(Console& console, const Result<>& result) {
  auto written = console.finish();
  const Result<>& worst = result ? written : result;
  if (worst) return 0;
  console.error(worst.error());
  return static_cast<int>(worst.error().status);
}

Result<> perform_remotely(Command command, const Settings& settings, Console& console) {
  if (demands(command).board && settings.prefix.empty()) {
    return fail(ExitStatus::usage, "no board named: give --prefix, MQBOARD_PREFIX, or -b with a saved board");
  }
  return run_until_done(std::move(command), settings, console);
}

int mqboard(std::span<const char* const> arguments) {
  auto invocation = parse_command_line(arguments);
  if (!invocation) {
    const EarlyEnd& end = invocation.error();
    std::fputs(end.text.c_str(), end.status == 0 ? stdout : stderr);
    return end.status;
  }
  Console console;
  if (auto* const local = std::get_if<LocalCommand>(&invocation->command)) {
    configure_output(console, *invocation);
    const LocalContext context{invocation->options, console};
    return finish(console, std::visit([&](auto& verb) { return perform(std::move(verb), context); }, *local));
  }
  const auto settings = settle(*invocation);
  if (!settings) return finish(console, std::unexpected(settings.error()));
  console.configure(*settings);
  return finish(console,
                perform_remotely(std::get<Command>(std::move(invocation->command)), *settings, console));
}

}  // namespace

}  // namespace mqboard::cli

int main(int count, char** arguments) {
  const int status = mqboard::cli::mqboard({arguments, static_cast<std::size_t>(count)});
  std::fflush(nullptr);
  ::_exit(status);  // nothing is left that a destructor would do
}
