// What each verb of mqboard was asked to do: the parsed command line, and nothing else. One struct a verb;
// the handlers (verbs_*.cpp) are the overloads of perform().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/board.hpp"
#include "cli/log_line.hpp"
#include "cli/settings.hpp"

namespace mqboard::cli {

// ---- Python

struct Eval {
  std::string source;  // "-": standard input
};

struct Exec {
  std::string file;                    // "-": standard input
  std::vector<std::string> arguments;  // the script's sys.argv[1:]
};

struct Repl {
  bool plain = false;  // no line editing, also on a terminal
};

struct Interrupt {};

// ---- Files

struct Get {
  std::string remote;
  std::string local;  // empty: the remote name here; "-": standard output
};

struct Put {
  std::string local;
  std::string remote;  // empty: the local name; ends with '/': that directory
};

struct Cat {
  std::vector<std::string> files;
};

struct Cp {
  std::vector<std::string> paths;  // sources, then the destination; ":path" is on the board
  bool recursive = false;
};

struct Sync {
  std::string source;       // a specification ("-": standard input), or a directory to mirror
  std::string destination;  // of a mirrored directory, ":path"
  bool dry_run = false;
  bool remove_others = false;
};

struct Ls {
  std::vector<std::string> paths;
  bool recursive = false;
  bool details = false;
  bool sha = false;
};

struct Tree {
  std::string path;
  bool sizes = false;
};

struct Mkdir {
  std::vector<std::string> directories;
  bool parents = false;
};

struct Rm {
  std::vector<std::string> paths;
  bool recursive = false;
  bool force = false;  // missing files are no error
};

struct Rmdir {
  std::vector<std::string> directories;
};

struct Mv {
  std::string from;
  std::string to;
};

struct Touch {
  std::vector<std::string> files;
};

struct Sha256Sum {
  std::vector<std::string> files;
};

struct Df {};

struct Edit {
  std::string file;
};

// ---- The board

struct Info {};

struct Discover {
  double wait_s = 0.5;  // for boards whose broker delivers late
};

struct Reset {
  ResetMode mode = ResetMode::hard;
  bool wait = false;
};

struct LogLevel {
  std::string logger;
  std::string level;
};

struct CrashList {};
struct CrashGet {
  std::string name;
};
struct CrashRemove {
  std::vector<std::string> names;
  bool all = false;
};

struct View {
  std::optional<std::uint64_t> count;  // end after so many messages
  bool json = false;
  std::string level;
  std::string logger;
  bool since_boot = false;
  bool follow = true;  // what it does anyway
};

// ---- Firmware

struct OtaInstall {
  std::string image;
  bool wait = false;     // reset into it, and wait until it runs
  bool confirm = false;  // and confirm it then
};
struct OtaStatus {};
struct OtaConfirm {};
struct OtaRollback {};

using Command = std::variant<Eval, Exec, Repl, Interrupt, Get, Put, Cat, Cp, Sync, Ls, Tree, Mkdir, Rm, Rmdir,
                             Mv, Touch, Sha256Sum, Df, Edit, Info, Discover, Reset, LogLevel, CrashList,
                             CrashGet, CrashRemove, View, OtaInstall, OtaStatus, OtaConfirm, OtaRollback>;

// ---- Without a connection

struct BoardAdd {
  std::string name;
  bool make_default = false;
};
struct BoardList {
  bool names_only = false;
};
struct BoardRemove {
  std::string name;
};
struct BoardDefault {
  std::string name;
};
struct Completion {
  std::string shell;
};
struct ManPage {};

using LocalCommand = std::variant<BoardAdd, BoardList, BoardRemove, BoardDefault, Completion, ManPage>;

}  // namespace mqboard::cli
