#include "cli/command_line.hpp"

#include <memory>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/local_file.hpp"

namespace mqboard::cli {

namespace {

// The struct a verb's options are parsed into. It lives as long as the CLI11 object it belongs to, which
// hands it to `into` when the verb was the one called.
template<class Verb>
Verb& target(CLI::App& app, Command& into) {
  auto verb = std::make_shared<Verb>();
  app.callback([verb, &into] { into = std::move(*verb); });
  return *verb;
}

struct VerbInfo {
  const char* name;
  const char* group;
  const char* summary;
  const char* details;  // after the options: what is worth knowing, and examples
  void (*declare)(CLI::App&, Command&);
};

constexpr const char* kPython = "Python on the board";
constexpr const char* kFiles = "Files on the board";
constexpr const char* kBoard = "The board";

void declare_eval(CLI::App& app, Command& into) {
  Eval& verb = target<Eval>(app, into);
  app.add_option("SOURCE", verb.source, "expression or statements; - reads them from standard input")
      ->required();
}

void declare_exec(CLI::App& app, Command& into) {
  Exec& verb = target<Exec>(app, into);
  app.add_option("FILE", verb.file, "local file with statements; - reads standard input")->required();
  app.add_option("ARGUMENT", verb.arguments, "sys.argv[1:] of the script");
}

void declare_get(CLI::App& app, Command& into) {
  Get& verb = target<Get>(app, into);
  app.add_option("REMOTE", verb.remote, "file on the board")->required();
  app.add_option("LOCAL", verb.local,
                 "file or directory here (default: the same name here); - writes standard output");
}

void declare_put(CLI::App& app, Command& into) {
  Put& verb = target<Put>(app, into);
  app.add_option("LOCAL", verb.local, "file here; - reads standard input")->required();
  app.add_option("REMOTE", verb.remote,
                 "file on the board (default: the same name); DIR/ puts it into that directory");
}

void declare_cat(CLI::App& app, Command& into) {
  Cat& verb = target<Cat>(app, into);
  app.add_option("FILE", verb.files, "files on the board")->required();
}

void declare_ls(CLI::App& app, Command& into) {
  Ls& verb = target<Ls>(app, into);
  app.add_option("PATH", verb.paths, "directories or files (default: /)");
  app.add_flag("-r,--recursive", verb.recursive, "with everything below");
  app.add_flag("-l,--long", verb.details, "with size");
  app.add_flag("--sha", verb.sha, "with SHA-256 of files, computed on the board");
}

void declare_mkdir(CLI::App& app, Command& into) {
  Mkdir& verb = target<Mkdir>(app, into);
  app.add_option("DIR", verb.directories, "directories to make")->required();
  app.add_flag("-p,--parents", verb.parents,
               "make what is missing on the way; an existing directory is fine");
}

void declare_rm(CLI::App& app, Command& into) {
  Rm& verb = target<Rm>(app, into);
  app.add_option("PATH", verb.paths, "files to remove")->required();
  app.add_flag("-r,--recursive", verb.recursive, "directories too, with everything in them");
  app.add_flag("-f,--force", verb.force, "what is not there is no error");
}

void declare_rmdir(CLI::App& app, Command& into) {
  Rmdir& verb = target<Rmdir>(app, into);
  app.add_option("DIR", verb.directories, "empty directories to remove")->required();
}

void declare_mv(CLI::App& app, Command& into) {
  Mv& verb = target<Mv>(app, into);
  app.add_option("FROM", verb.from, "file or directory")->required();
  app.add_option("TO", verb.to, "new name, or the directory to move it into; an existing file is replaced")
      ->required();
}

void declare_interrupt(CLI::App& app, Command& into) { target<Interrupt>(app, into); }

void declare_info(CLI::App& app, Command& into) { target<Info>(app, into); }

void declare_view(CLI::App& app, Command& into) {
  View& verb = target<View>(app, into);
  app.add_option("-n,--count", verb.count, "end after so many messages")->type_name("N");
  app.add_flag("--json", verb.json, "one JSON object a message");
}

constexpr VerbInfo kVerbs[] = {
    {"eval", kPython, "evaluate an expression or execute statements",
     "Prints the value of an expression, or what statements print. An exception's traceback goes to stderr, "
     "status 1.\n"
     "A SOURCE that begins with - stands after --.\n\n"
     "Examples:\n"
     "  mqboard eval 45+876\n"
     "  mqboard eval 'import gc; print(gc.mem_free())'\n"
     "  mqboard eval - < snippet.py",
     declare_eval},
    {"exec", kPython, "execute a local file of statements",
     "Prints what the statements print.\n\nExample:\n  mqboard exec measure.py > values.csv", declare_exec},
    {"interrupt", kPython, "raise KeyboardInterrupt in what runs",
     "Works while the board's Python is in an endless loop, on boards that run mqboardd.", declare_interrupt},
    {"ls", kFiles, "list directories", "Example:\n  mqboard ls -r -l --sha /lib", declare_ls},
    {"cat", kFiles, "print files", "Example:\n  mqboard cat /main.py", declare_cat},
    {"get", kFiles, "copy a file from the board",
     "LOCAL is replaced when everything has arrived and was verified, and not before.\n\n"
     "Examples:\n  mqboard get /main.py\n  mqboard get /data.csv - | head",
     declare_get},
    {"put", kFiles, "copy a file to the board",
     "REMOTE keeps its old content until everything has arrived and was verified.\n\n"
     "Examples:\n  mqboard put blinky.py /blinky.py\n  mqboard put blinky.py /lib/\n  date | mqboard put - "
     "/stamp",
     declare_put},
    {"mkdir", kFiles, "make directories", "Example:\n  mqboard mkdir -p /data/2024", declare_mkdir},
    {"rm", kFiles, "remove files", "Example:\n  mqboard rm -r /old", declare_rm},
    {"rmdir", kFiles, "remove empty directories", "", declare_rmdir},
    {"mv", kFiles, "rename or move", "Example:\n  mqboard mv /main.py /main.py.old", declare_mv},
    {"info", kBoard, "show what the board is and how it does", "", declare_info},
    {"view", kBoard, "show the board's log as it is written",
     "Runs until Ctrl-C; also available as `mqview`. On a terminal, lines are coloured by severity. With "
     "--topic, which\n"
     "may have wildcards, several boards' logs are shown.\n\n"
     "Examples:\n  mqboard view\n  mqboard -t 'esp32/+' view --json",
     declare_view},
};

constexpr const char* kFooter =
    "Options may stand before or after the verb; each can also be set by an environment variable [in "
    "brackets] or in a\n"
    "board's profile. The command line outranks the environment, that the profile, that the default.\n"
    "`mqboard VERB --help` says more about a verb.\n\n"
    "Exit status: 0 done, 1 the board reported an error, 2 wrong usage or a local file, 3 broker or login,\n"
    "4 board offline or silent, 5 content damaged on its way.\n\n"
    "Examples:\n"
    "  mqboard -s mqtts://broker.example -u me --prefix esp32/kitchen eval 45+876\n"
    "  MQBOARD_SERVER=broker.example MQBOARD_PREFIX=esp32/kitchen mqboard ls -l\n"
    "  mqboard -b kitchen put main.py /main.py";

void declare_settings(CLI::App& app, Layer& layer) {
  for (const KeyInfo& row : key_table()) {
    const std::string help = fmt::format("{} [{}]", row.help, row.environment);
    const Key key = row.key;
    CLI::Option* option = nullptr;
    if (key == Key::verbose) {
      option = app.add_flag_function(
          std::string(row.option),
          [&layer](std::int64_t count) { layer.set(Key::verbose, std::to_string(count)); }, help);
    } else if (row.argument.empty()) {
      option = app.add_flag_function(
          std::string(row.option),
          [&layer, key](std::int64_t count) { layer.set(key, count > 0 ? "true" : "false"); }, help);
    } else {
      option = app.add_option_function<std::string>(
          std::string(row.option), [&layer, key](const std::string& value) { layer.set(key, value); }, help);
      option->type_name(std::string(row.argument))->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    option->group("Options");
  }
}

void declare(CLI::App& app, Invocation& invocation) {
  app.description("Operate MicroPython boards over MQTT.");
  app.get_formatter()->column_width(30);
  app.set_help_flag("-h,--help", "show this help");
  app.set_version_flag("--version", "mqboard " MQB_VERSION, "show the version");
  app.add_option("-b,--board", invocation.board,
                 "use this board's saved profile (default: the default profile) [MQBOARD_BOARD]")
      ->type_name("NAME")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  declare_settings(app, invocation.options);
  app.footer(kFooter);
  app.require_subcommand(1);
  for (const VerbInfo& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    sub->group(verb.group)->fallthrough()->footer(verb.details);
    verb.declare(*sub, invocation.command);
  }
}

// "mqview -n 3" is "mqboard view -n 3".
std::vector<std::string> as_mqboard(std::span<const char* const> arguments) {
  std::vector<std::string> result(arguments.begin() + 1, arguments.end());
  const std::string_view name = base_name(arguments.front());
  if (name == "mqview") result.insert(result.begin(), "view");
  if (name == "mqsync") result.insert(result.begin(), "sync");
  return result;
}

std::string first_line(std::string text) {
  if (const std::size_t end = text.find('\n'); end != std::string::npos) text.resize(end);
  return text;
}

EarlyEnd usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string command = "mqboard";
  for (const CLI::App* verb : app.get_subcommands()) command.append(" ").append(verb->get_name());
  return {2, fmt::format("mqboard: {}; see `{} --help`\n", first_line(error.what()), command)};
}

}  // namespace

std::expected<Invocation, EarlyEnd> parse_command_line(std::span<const char* const> arguments) {
  Invocation invocation;
  CLI::App app("", "mqboard");
  declare(app, invocation);
  std::vector<std::string> reversed = as_mqboard(arguments);
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(EarlyEnd{0, app.help()});
  } catch (const CLI::CallForVersion& version) {
    return std::unexpected(EarlyEnd{0, std::string(version.what()) + "\n"});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(usage_error(app, error));
  }
  return invocation;
}

}  // namespace mqboard::cli
