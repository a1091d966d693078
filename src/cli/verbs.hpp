// The verbs: perform() does what a parsed command asks, and prints it.
//
// Every handler waits for the session's first answer only after it has queued its request, so that nothing
// waits for the connection. A Failure returned is reported by main; its status ends the process.
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
// repl.cpp
Done perform(Repl verb, Context context);
// verbs_files.cpp
Done perform(Ls verb, Context context);
Done perform(Tree verb, Context context);
Done perform(Mkdir verb, Context context);
Done perform(Rm verb, Context context);
Done perform(Rmdir verb, Context context);
Done perform(Mv verb, Context context);
Done perform(Touch verb, Context context);
Done perform(Sha256Sum verb, Context context);
Done perform(Df verb, Context context);
// verbs_transfer.cpp
Done perform(Get verb, Context context);
Done perform(Put verb, Context context);
Done perform(Cat verb, Context context);
// verbs_copy.cpp, verbs_sync.cpp, verbs_edit.cpp
Done perform(Cp verb, Context context);
Done perform(Sync verb, Context context);
Done perform(Edit verb, Context context);
// verbs_board.cpp
Done perform(Info verb, Context context);
Done perform(Discover verb, Context context);
Done perform(Reset verb, Context context);
Done perform(LogLevel verb, Context context);
Done perform(CrashList verb, Context context);
Done perform(CrashGet verb, Context context);
Done perform(CrashRemove verb, Context context);
// verbs_log.cpp
Done perform(View verb, Context context);
// verbs_ota.cpp
Done perform(OtaInstall verb, Context context);
Done perform(OtaStatus verb, Context context);
Done perform(OtaConfirm verb, Context context);
Done perform(OtaRollback verb, Context context);

// Without a connection: verbs_local.cpp.
struct LocalContext {
  const Layer& options;
  Console& console;
};

Result<> perform(BoardAdd verb, LocalContext context);
Result<> perform(BoardList verb, LocalContext context);
Result<> perform(BoardRemove verb, LocalContext context);
Result<> perform(BoardDefault verb, LocalContext context);
Result<> perform(Completion verb, LocalContext context);
Result<> perform(ManPage verb, LocalContext context);

}  // namespace mqboard::cli
