// The verbs: perform() does what a parsed command asks, and prints it.
//
// Every handler awaits the session's first answer only after it has queued its request, so that nothing waits
// for the connection. A Failure returned is reported by main; its status ends the process.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cli/commands.hpp"
#include "cli/session.hpp"

namespace mqboard::cli {

struct Context {
  const Settings& settings;
  Console& console;
  Session& session;
};

using Done = asio::awaitable<Result<>>;

// verbs_python.cpp
Done perform(Eval verb, Context context);
Done perform(Exec verb, Context context);
Done perform(Interrupt verb, Context context);
// verbs_files.cpp
Done perform(Ls verb, Context context);
Done perform(Mkdir verb, Context context);
Done perform(Rm verb, Context context);
Done perform(Rmdir verb, Context context);
Done perform(Mv verb, Context context);
// verbs_transfer.cpp
Done perform(Get verb, Context context);
Done perform(Put verb, Context context);
Done perform(Cat verb, Context context);
// verbs_board.cpp
Done perform(Info verb, Context context);
// verbs_log.cpp
Done perform(View verb, Context context);

}  // namespace mqboard::cli
