#include "cli/verb_table.hpp"

namespace mqboard::cli {

namespace {

constexpr std::string_view kPython = "Python on the board";
constexpr std::string_view kFiles = "Files on the board";
constexpr std::string_view kTransfer = "Files to and from the board";
constexpr std::string_view kBoard = "The board";
constexpr std::string_view kFirmware = "Firmware";
constexpr std::string_view kHere = "On this machine";

// ---- Python

void declare_eval(Declaration& of, Slot& slot) {
  of.argument("SOURCE", slot.make<Eval>().source, Need::required,
              "expression or statements; - reads them from standard input");
}

void declare_exec(Declaration& of, Slot& slot) {
  Exec& verb = slot.make<Exec>();
  of.argument("FILE", verb.file, Need::required, "local file with statements; - reads standard input",
              Offer::local_files);
  of.arguments("ARGUMENT", verb.arguments, Need::optional,
               "the script's sys.argv[1:]; after -- if they begin with -");
}

void declare_repl(Declaration& of, Slot& slot) {
  of.flag("--plain", slot.make<Repl>().plain, "no line editing, even on a terminal");
}

void declare_interrupt(Declaration&, Slot& slot) { slot.make<Interrupt>(); }

// ---- Files on the board

void declare_ls(Declaration& of, Slot& slot) {
  Ls& verb = slot.make<Ls>();
  of.arguments("PATH", verb.paths, Need::optional, "directories or files (default: /)");
  of.flag("-r,--recursive", verb.recursive, "with everything below");
  of.flag("-l,--long", verb.details, "with sizes and times of change (UTC)");
  of.flag("--sha", verb.sha, "with the SHA-256 of files, computed on the board");
}

void declare_tree(Declaration& of, Slot& slot) {
  Tree& verb = slot.make<Tree>();
  verb.path = "/";
  of.argument("DIR", verb.path, Need::optional, "where to begin (default: /)");
  of.flag("-s,--sizes", verb.sizes, "with sizes of files");
}

void declare_cat(Declaration& of, Slot& slot) {
  of.arguments("FILE", slot.make<Cat>().files, Need::required, "files on the board");
}

void declare_mkdir(Declaration& of, Slot& slot) {
  Mkdir& verb = slot.make<Mkdir>();
  of.arguments("DIR", verb.directories, Need::required, "directories to make");
  of.flag("-p,--parents", verb.parents, "make what is missing on the way; an existing directory is fine");
}

void declare_rm(Declaration& of, Slot& slot) {
  Rm& verb = slot.make<Rm>();
  of.arguments("PATH", verb.paths, Need::required, "files to remove");
  of.flag("-r,--recursive", verb.recursive, "directories too, with everything in them");
  of.flag("-f,--force", verb.force, "what is not there is no error");
}

void declare_rmdir(Declaration& of, Slot& slot) {
  of.arguments("DIR", slot.make<Rmdir>().directories, Need::required, "empty directories to remove");
}

void declare_mv(Declaration& of, Slot& slot) {
  Mv& verb = slot.make<Mv>();
  of.argument("FROM", verb.from, Need::required, "file or directory");
  of.argument("TO", verb.to, Need::required,
              "new name, or the directory to move it into; an existing file is replaced");
}

void declare_touch(Declaration& of, Slot& slot) {
  of.arguments("FILE", slot.make<Touch>().files, Need::required, "files to create or to mark as changed now");
}

void declare_sha256sum(Declaration& of, Slot& slot) {
  of.arguments("FILE", slot.make<Sha256Sum>().files, Need::required, "files on the board");
}

void declare_df(Declaration&, Slot& slot) { slot.make<Df>(); }

// ---- Transfers

void declare_get(Declaration& of, Slot& slot) {
  Get& verb = slot.make<Get>();
  of.argument("REMOTE", verb.remote, Need::required, "file on the board");
  of.argument("LOCAL", verb.local, Need::optional,
              "file or directory here (default: the same name here); - writes standard output",
              Offer::local_files);
}

void declare_put(Declaration& of, Slot& slot) {
  Put& verb = slot.make<Put>();
  of.argument("LOCAL", verb.local, Need::required, "file here; - reads standard input", Offer::local_files);
  of.argument("REMOTE", verb.remote, Need::optional,
              "file on the board (default: the same name); DIR/ puts it into that directory");
}

void declare_cp(Declaration& of, Slot& slot) {
  Cp& verb = slot.make<Cp>();
  of.arguments("SOURCE... DEST", verb.paths, Need::required, "paths; on the board they begin with a colon",
               Offer::local_files);
  of.flag("-r,--recursive", verb.recursive, "directories with everything below");
}

void declare_sync(Declaration& of, Slot& slot) {
  Sync& verb = slot.make<Sync>();
  of.argument("SPEC", verb.source, Need::required,
              "a specification (- reads standard input), or a local directory", Offer::local_files);
  of.argument(":DIR", verb.destination, Need::optional,
              "of a local directory: the board's directory that becomes its mirror");
  of.flag("-n,--dry-run", verb.dry_run, "say what would be done, and do nothing");
  of.flag("--delete", verb.remove_others, "remove what else is in the target directories");
}

void declare_edit(Declaration& of, Slot& slot) {
  of.argument("FILE", slot.make<Edit>().file, Need::required, "file on the board; a new one is created");
}

// ---- The board

void declare_info(Declaration&, Slot& slot) { slot.make<Info>(); }

void declare_discover(Declaration& of, Slot& slot) {
  of.option("--wait", "SECONDS", slot.make<Discover>().wait_s,
            "wait so long for boards to show up (default: 0.5)");
}

void declare_view(Declaration& of, Slot& slot) {
  View& verb = slot.make<View>();
  of.option("-n,--count", "N", verb.count, "end after so many messages");
  of.flag("--json", verb.json, "one JSON object a message");
  of.option("--level", "LEVEL", verb.level,
            "only this severity and worse: debug, info, warning, error, critical");
  of.option("--name", "LOGGER", verb.logger, "only this logger and those below it");
  of.flag("--since-boot", verb.since_boot, "begin with what the board remembers of its log since it started");
  of.flag("--follow", verb.follow, "keep showing what is logged: what it does anyway");
}

void declare_log_level(Declaration& of, Slot& slot) {
  LogLevel& verb = slot.make<LogLevel>();
  of.argument("LOGGER", verb.logger, Need::optional, "name of the logger (default: all are shown)");
  of.argument("LEVEL", verb.level, Need::optional, "debug, info, warning, error, critical, or inherit");
}

void declare_reset(Declaration& of, Slot& slot) {
  Reset& verb = slot.make<Reset>();
  of.flag("--soft", "restart Python only", [&verb] { verb.mode = ResetMode::soft; });
  of.flag("--hard", "restart the firmware (default)", [&verb] { verb.mode = ResetMode::hard; });
  of.flag("--safe", "restart into safe mode: no applications", [&verb] { verb.mode = ResetMode::safe; });
  of.flag("--normal", "restart into normal mode", [&verb] { verb.mode = ResetMode::normal; });
  of.flag("--wait", verb.wait, "return when the board is back");
}

void declare_crash_ls(Declaration&, Slot& slot) { slot.make<CrashList>(); }

void declare_crash_get(Declaration& of, Slot& slot) {
  of.argument("NAME", slot.make<CrashGet>().name, Need::required, "report, as listed");
}

void declare_crash_rm(Declaration& of, Slot& slot) {
  CrashRemove& verb = slot.make<CrashRemove>();
  of.arguments("NAME", verb.names, Need::optional, "reports, as listed");
  of.flag("--all", verb.all, "all of them");
}

// ---- Firmware

void declare_ota_install(Declaration& of, Slot& slot) {
  OtaInstall& verb = slot.make<OtaInstall>();
  of.argument("IMAGE", verb.image, Need::required, "image file", Offer::local_files);
  of.flag("--wait", verb.wait, "restart the board into it, and return when it runs");
  of.flag("--confirm", verb.confirm, "the same, and confirm it then");
}

void declare_ota_status(Declaration&, Slot& slot) { slot.make<OtaStatus>(); }
void declare_ota_confirm(Declaration&, Slot& slot) { slot.make<OtaConfirm>(); }
void declare_ota_rollback(Declaration&, Slot& slot) { slot.make<OtaRollback>(); }

// ---- Here

void declare_board_add(Declaration& of, Slot& slot) {
  BoardAdd& verb = slot.make<BoardAdd>();
  of.argument("NAME", verb.name, Need::required, "how -b calls it");
  of.flag("--default", verb.make_default, "make it the board that is used without -b");
}

void declare_board_list(Declaration& of, Slot& slot) {
  of.flag("--names", slot.make<BoardList>().names_only, "the names only");
}

void declare_board_rm(Declaration& of, Slot& slot) {
  of.argument("NAME", slot.make<BoardRemove>().name, Need::required, "saved board", Offer::board_names);
}

void declare_board_default(Declaration& of, Slot& slot) {
  of.argument("NAME", slot.make<BoardDefault>().name, Need::required, "saved board", Offer::board_names);
}

void declare_completion(Declaration& of, Slot& slot) {
  of.argument("SHELL", slot.make<Completion>().shell, Need::required, "bash, zsh or fish", Offer::shells);
}

void declare_man(Declaration&, Slot& slot) { slot.make<ManPage>(); }

constexpr VerbInfo kVerbs[] = {
    {"eval", kPython, "evaluate an expression or execute statements",
     "Prints the value of an expression, or what statements print. An exception's traceback goes to stderr, "
     "status 1. "
     "A SOURCE that begins with - stands after --.",
     "mqboard eval 45+876\n"
     "mqboard eval 'import gc; print(gc.mem_free())'\n"
     "mqboard eval - < snippet.py",
     declare_eval},
    {"exec", kPython, "execute a local script",
     "Its output appears as it is printed, and mqboard ends with the script's exit status. Ctrl-C interrupts "
     "it.",
     "mqboard exec measure.py > values.csv", declare_exec},
    {"run", kPython, "the same as exec", "", "mqboard run setup.py 3 red", declare_exec},
    {"repl", kPython, "talk to the board's Python",
     "With history, completion of names on the board by Tab, and automatic indentation. Ctrl-C interrupts "
     "what runs, "
     "Ctrl-E begins paste mode and Ctrl-D ends it, Ctrl-] leaves. Without a terminal, standard input is "
     "executed line by "
     "line.",
     "mqboard repl", declare_repl},
    {"interrupt", kPython, "raise KeyboardInterrupt in what runs",
     "Works while the board's Python is in an endless loop, on boards that run mqboardd.", "",
     declare_interrupt},

    {"ls", kFiles, "list directories", "", "mqboard ls -r -l --sha /lib", declare_ls},
    {"tree", kFiles, "show directories as a tree", "", "mqboard tree -s /lib", declare_tree},
    {"cat", kFiles, "print files", "", "mqboard cat /main.py", declare_cat},
    {"mkdir", kFiles, "make directories", "", "mqboard mkdir -p /data/2024", declare_mkdir},
    {"rm", kFiles, "remove files", "", "mqboard rm -r /old", declare_rm},
    {"rmdir", kFiles, "remove empty directories", "", "", declare_rmdir},
    {"mv", kFiles, "rename or move", "", "mqboard mv /main.py /main.py.old", declare_mv},
    {"touch", kFiles, "create files, or mark them as changed", "", "", declare_touch},
    {"sha256sum", kFiles, "print SHA-256 of files", "Computed on the board.", "mqboard sha256sum /main.py",
     declare_sha256sum},
    {"df", kFiles, "show the flash's size and free space", "", "", declare_df},
    {"edit", kFiles, "edit a file in your editor",
     "$VISUAL, $EDITOR or vi. The file is put back when the editor ends and the content has changed.",
     "mqboard edit /main.py", declare_edit},

    {"get", kTransfer, "copy a file from the board",
     "LOCAL is replaced when everything has arrived and was verified, and not before. A transfer that was "
     "cut short goes "
     "on where it was when it is started again.",
     "mqboard get /main.py\n"
     "mqboard get /data.csv - | head",
     declare_get},
    {"put", kTransfer, "copy a file to the board",
     "REMOTE keeps its old content until everything has arrived and was verified. A transfer that was cut "
     "short goes on "
     "where it was when it is started again.",
     "mqboard put blinky.py /blinky.py\n"
     "mqboard put blinky.py /lib/\n"
     "date | mqboard put - /stamp",
     declare_put},
    {"cp", kTransfer, "copy files and directories",
     "A path on the board begins with a colon, as with mpremote. Files that are the same already are not "
     "sent again.",
     "mqboard cp main.py config.json :/\n"
     "mqboard cp -r :/data backup\n"
     "mqboard cp -r lib :/",
     declare_cp},
    {"sync", kTransfer, "bring files on the board up to date",
     "Files whose SHA-256 differs are put. The specification's language is that of the Python mqboard's "
     "mqsync:\n"
     "  TARGET_DIR: [--check-only] [--no-update]\n"
     "    FILE [FILE ...]             wildcards * and ? allowed\n"
     "    SOURCE_DIR: FILE [FILE ...]\n"
     "    SOURCE_DIR: FILE->NEW_NAME\n"
     "A specification whose first line is `#! /usr/bin/env mqsync` can be executed.",
     "mqboard sync -n files.sync\n"
     "mqboard sync --delete app :/app",
     declare_sync},

    {"info", kBoard, "show what the board is and how it does", "", "", declare_info},
    {"discover", kBoard, "list the boards a broker knows",
     "Those that announce a status; boards that run the Python mqboard do not.",
     "mqboard -s broker.example discover -o json", declare_discover},
    {"view", kBoard, "show the board's log as it is written",
     "Runs until Ctrl-C; also available as `mqview`. On a terminal, lines are coloured by severity. With "
     "--topic, which may "
     "have wildcards, several boards' logs are shown.",
     "mqboard view --level warning\n"
     "mqboard -t 'esp32/+' view --json",
     declare_view},
    {"log-level", kBoard, "show or change the levels of loggers", "The board remembers a change.",
     "mqboard log-level net.wifi debug", declare_log_level},
    {"reset", kBoard, "restart the board", "", "mqboard reset --safe --wait", declare_reset},
    {"crash", kBoard, "crash reports of the board", "", "", nullptr},
    {"crash ls", kBoard, "list crash reports", "", "", declare_crash_ls},
    {"crash get", kBoard, "print a crash report", "", "", declare_crash_get},
    {"crash rm", kBoard, "remove crash reports", "", "mqboard crash rm --all", declare_crash_rm},

    {"ota", kFirmware, "update the board's firmware", "", "", nullptr},
    {"ota install", kFirmware, "install an image",
     "Written to the slot that does not run, and verified there. The next restart tries it; until it is "
     "confirmed, or "
     "proves manageable for a while, any failure brings the old one back.",
     "mqboard ota install --wait mqboardd.img", declare_ota_install},
    {"ota status", kFirmware, "show slots, what runs, and what is on trial", "", "", declare_ota_status},
    {"ota list", kFirmware, "the same as status", "", "", declare_ota_status},
    {"ota confirm", kFirmware, "keep the firmware that is on trial", "", "", declare_ota_confirm},
    {"ota rollback", kFirmware, "go back to the other slot's firmware", "", "", declare_ota_rollback},

    {"board", kHere, "saved boards", "", "", nullptr},
    {"board add", kHere, "save a board",
     "All options that stand on this command line are saved under the name, the password too: the file is "
     "for your eyes "
     "only. The first board saved becomes the default.",
     "mqboard board add kitchen -s mqtts://broker.example -u me --password-file ~/.mqtt --prefix "
     "esp32/kitchen",
     declare_board_add},
    {"board list", kHere, "list saved boards", "", "", declare_board_list},
    {"board rm", kHere, "forget a saved board", "", "", declare_board_rm},
    {"board default", kHere, "choose the board that is used without -b", "", "", declare_board_default},
    {"completion", kHere, "print a shell's completion script", "",
     "mqboard completion bash > ~/.local/share/bash-completion/completions/mqboard", declare_completion},
    {"man", kHere, "print the manual page", "", "mqboard man | man -l -", declare_man},
};

constexpr ExitInfo kExits[] = {
    {ExitStatus::ok, "done"},
    {ExitStatus::board_error, "the board reported an error: an exception, a missing file, a full flash"},
    {ExitStatus::usage, "the command line, the configuration or a local file it names is wrong"},
    {ExitStatus::broker, "the broker cannot be reached or trusted, or does not let us in"},
    {ExitStatus::no_answer,
     "the board is offline, asleep for longer than --timeout, or did not answer in time"},
    {ExitStatus::integrity, "what arrived is not what was sent"},
    {ExitStatus::interrupted, "interrupted by Ctrl-C"},
};

}  // namespace

std::span<const VerbInfo> verb_table() { return kVerbs; }

std::span<const ExitInfo> exit_table() { return kExits; }

}  // namespace mqboard::cli
