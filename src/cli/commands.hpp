// What each verb of mqboard was asked to do: the parsed command line, and nothing else. One struct a verb;
// the handlers (verbs_*.cpp) are the overloads of perform().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/log_line.hpp"

namespace mqboard::cli {

struct Eval {
  std::string source;  // "-": standard input
};

struct Exec {
  std::string file;                    // "-": standard input
  std::vector<std::string> arguments;  // the script's sys.argv[1:]
};

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

struct Ls {
  std::vector<std::string> paths;
  bool recursive = false;
  bool details = false;
  bool sha = false;
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

struct Interrupt {};

struct Info {};

struct View {
  std::optional<std::uint64_t> count;  // end after so many messages
  bool json = false;
};

using Command = std::variant<Eval, Exec, Get, Put, Cat, Ls, Mkdir, Rm, Rmdir, Mv, Interrupt, Info, View>;

}  // namespace mqboard::cli
