#include "cli/command_docs.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

constexpr std::size_t kWidth = 100;

// One argument or option as declared.
struct Item {
  std::string names;        // "-r,--recursive", or an argument's name
  std::string placeholder;  // of an option's value; empty: a flag
  std::string help;
  bool positional = false;
  bool required = false;
  bool many = false;
  Offer offer = Offer::nothing;
};

class Collector final : public Declaration {
 public:
  void argument(std::string_view name, std::string&, Need need, std::string_view help, Offer offer) override {
    items.push_back({std::string(name), "", std::string(help), true, need == Need::required, false, offer});
  }
  void arguments(std::string_view name, std::vector<std::string>&, Need need, std::string_view help,
                 Offer offer) override {
    items.push_back({std::string(name), "", std::string(help), true, need == Need::required, true, offer});
  }
  void flag(std::string_view names, std::string_view help, std::function<void()>) override {
    items.push_back({.names = std::string(names), .placeholder = {}, .help = std::string(help)});
  }
  void option(std::string_view names, std::string_view placeholder, std::string&,
              std::string_view help) override {
    valued(names, placeholder, help);
  }
  void option(std::string_view names, std::string_view placeholder, std::optional<std::uint64_t>&,
              std::string_view help) override {
    valued(names, placeholder, help);
  }
  void option(std::string_view names, std::string_view placeholder, double&, std::string_view help) override {
    valued(names, placeholder, help);
  }

  std::vector<Item> items;

 private:
  void valued(std::string_view names, std::string_view placeholder, std::string_view help) {
    items.push_back(
        {.names = std::string(names), .placeholder = std::string(placeholder), .help = std::string(help)});
  }
};

std::vector<Item> items_of(const VerbInfo& verb) {
  Collector collector;
  Slot slot;
  if (verb.declare != nullptr) verb.declare(collector, slot);
  return std::move(collector.items);
}

std::vector<Item> global_items() {
  std::vector<Item> items{{.names = std::string(kBoardOption),
                           .placeholder = "NAME",
                           .help = std::string(kBoardHelp),
                           .offer = Offer::board_names}};
  for (const KeyInfo& row : key_table()) {
    std::string names(row.option);
    if (const std::size_t no = names.find(",!"); no != std::string::npos) names.replace(no, 2, ",");
    const bool file = row.argument == "FILE" || row.argument == "DIR";
    items.push_back({.names = std::move(names),
                     .placeholder = std::string(row.argument),
                     .help = fmt::format("{} [{}]", row.help, row.environment),
                     .offer = file ? Offer::local_files : Offer::nothing});
  }
  items.push_back(
      {.names = "-h,--help", .placeholder = {}, .help = "show help, of a verb when one is given"});
  items.push_back({.names = "--version", .placeholder = {}, .help = "show the version"});
  return items;
}

// "-T, --timeout SECONDS"
std::string shown_names(const Item& item) {
  std::string shown;
  for (const char c : item.names) {
    shown += c;
    if (c == ',') shown += ' ';
  }
  if (item.positional) return shown;
  if (!item.names.starts_with("--") || item.names.size() < 2)
    return item.placeholder.empty() ? shown : shown + " " + item.placeholder;
  return fmt::format("    {}{}{}", shown, item.placeholder.empty() ? "" : " ", item.placeholder);
}

std::string usage(const VerbInfo& verb, const std::vector<Item>& items) {
  std::string line = fmt::format("mqboard {}", verb.name);
  if (verb.declare == nullptr) return line + " VERB";
  const bool options =
      std::any_of(items.begin(), items.end(), [](const Item& item) { return !item.positional; });
  if (options) line += " [OPTION...]";
  for (const Item& item : items) {
    if (!item.positional) continue;
    const bool listed = item.many && item.names.find("...") == std::string::npos;
    const std::string name = listed ? item.names + "..." : item.names;
    line += item.required ? fmt::format(" {}", name) : fmt::format(" [{}]", name);
  }
  return line;
}

// Text in lines of at most kWidth, each but the first indented.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > indent && column + 1 + word.size() > kWidth) {
      out.append("\n").append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

// Paragraphs; lines that begin with a space are kept as they are.
std::string paragraphs(std::string_view text, std::string_view indent) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    out.append(indent);
    out.append(line.starts_with(' ') ? std::string(line) : wrapped(line, indent.size())).append("\n");
  }
  return out;
}

// Commands, which a break would make wrong.
std::string indented(std::string_view commands) {
  std::string out;
  while (!commands.empty()) {
    const std::size_t end = std::min(commands.find('\n'), commands.size());
    out.append("  ").append(commands.substr(0, end)).append("\n");
    commands.remove_prefix(std::min(end + 1, commands.size()));
  }
  return out;
}

void append_row(std::string& out, const std::string& left, std::string_view right, std::size_t width) {
  const std::size_t column = width + 4;
  out.append("  ").append(left);
  const std::size_t used = left.size() + 2;
  if (used + 2 > column) {
    out.append("\n").append(column, ' ');
  } else {
    out.append(column - used, ' ');
  }
  out.append(wrapped(right, column)).append("\n");
}

void append_items(std::string& out, std::string_view heading, const std::vector<Item>& items, bool positional,
                  std::size_t width) {
  bool first = true;
  for (const Item& item : items) {
    if (item.positional != positional) continue;
    if (first) out.append("\n").append(heading).append(":\n");
    first = false;
    append_row(out, shown_names(item), item.help, width);
  }
}

bool is_nested(const VerbInfo& verb) { return verb.name.find(' ') != std::string_view::npos; }

std::vector<const VerbInfo*> nested_in(const VerbInfo& parent) {
  std::vector<const VerbInfo*> found;
  for (const VerbInfo& verb : verb_table()) {
    const bool below = verb.name.starts_with(parent.name) && verb.name.size() > parent.name.size() &&
                       verb.name[parent.name.size()] == ' ';
    if (below) found.push_back(&verb);
  }
  return found;
}

std::string_view own_name(const VerbInfo& verb) { return verb.name.substr(verb.name.rfind(' ') + 1); }

}  // namespace

std::string help_overview() {
  std::string out =
      "Operates MicroPython boards over MQTT.\n\nUsage: mqboard [OPTION...] VERB [ARGUMENT...]\n";
  std::string_view group;
  for (const VerbInfo& verb : verb_table()) {
    if (is_nested(verb)) continue;
    if (verb.group != group) out.append("\n").append(verb.group).append(":\n");
    group = verb.group;
    append_row(out, std::string(verb.name), verb.summary, 14);
  }
  append_items(out,
               "Options, before or after the verb, [or as environment variable], or in a board's profile",
               global_items(), false, 30);
  out += "\nExit status:\n";
  for (const ExitInfo& exit : exit_table()) {
    append_row(out, fmt::format("{}", static_cast<int>(exit.status)), exit.meaning, 3);
  }
  out +=
      "\nExamples:\n"
      "  mqboard -s mqtts://broker.example -u me --prefix esp32/kitchen eval 45+876\n"
      "  mqboard board add kitchen -s mqtts://broker.example -u me --password-file ~/.mqtt --prefix "
      "esp32/kitchen\n"
      "  mqboard -b kitchen put main.py /main.py\n"
      "\n`mqboard VERB --help` says more about a verb.\n";
  return out;
}

std::string help_of(const VerbInfo& verb) {
  const std::vector<Item> items = items_of(verb);
  std::string out = fmt::format("mqboard {}: {}\n\nUsage: {}\n", verb.name, verb.summary, usage(verb, items));
  if (!verb.details.empty()) out.append("\n").append(paragraphs(verb.details, ""));
  if (verb.declare == nullptr) out += "\nVerbs:\n";
  for (const VerbInfo* nested : nested_in(verb))
    append_row(out, std::string(own_name(*nested)), nested->summary, 14);
  append_items(out, "Arguments", items, true, 24);
  append_items(out, "Options", items, false, 24);
  if (!verb.examples.empty()) out.append("\nExamples:\n").append(indented(verb.examples));
  return out.append("\n`mqboard --help` lists the options every verb has.\n");
}

// ---- The manual page

namespace {

// Text of a manual page: no line may look like a request, no backslash or hyphen may be interpreted.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

void append_man_items(std::string& out, const std::vector<Item>& items) {
  for (const Item& item : items) {
    const std::string names = shown_names(item);
    out.append(".TP\n.B ").append(roff(names.substr(names.find_first_not_of(' ')))).append("\n");
    out.append(roff(item.help)).append("\n");
  }
}

// Lines that begin with a space are an example; the rest is filled.
void append_man_text(std::string& out, std::string_view text) {
  bool example = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with(' ') != example) out += example ? ".EE\n.RE\n" : ".RS\n.EX\n";
    example = line.starts_with(' ');
    out.append(roff(line)).append("\n");
  }
  if (example) out += ".EE\n.RE\n";
}

}  // namespace

std::string manual_page() {
  std::string out =
      ".TH MQBOARD 1 \"\" \"mqboard " MQB_VERSION
      "\" \"User Commands\"\n.SH NAME\nmqboard, mqview, mqsync \\- operate MicroPython boards over MQTT\n"
      ".SH SYNOPSIS\n.B mqboard\n[\\fIOPTION\\fR...] \\fIVERB\\fR [\\fIARGUMENT\\fR...]\n"
      ".SH DESCRIPTION\nRuns Python on a board at the other end of an MQTT broker, moves files, shows its "
      "log, "
      "updates its firmware.\n.B mqview\nis\n.BR \"mqboard view\" ,\n.B mqsync\nis\n.BR \"mqboard sync\" .\n";
  std::string_view group;
  for (const VerbInfo& verb : verb_table()) {
    if (verb.declare == nullptr) continue;
    if (verb.group != group) out.append(".SH ").append(roff(verb.group)).append("\n");
    group = verb.group;
    const std::vector<Item> items = items_of(verb);
    out.append(".SS ").append(roff(usage(verb, items))).append("\n");
    std::string summary(verb.summary);
    summary.front() =
        static_cast<char>(summary.front() - ('a' <= summary.front() && summary.front() <= 'z' ? 32 : 0));
    out.append(roff(summary)).append(".\n");
    append_man_text(out, verb.details);
    append_man_items(out, items);
    if (verb.examples.empty()) continue;
    out.append(".PP\nExamples:\n.RS\n.EX\n").append(roff(verb.examples)).append("\n.EE\n.RE\n");
  }
  out +=
      ".SH OPTIONS\nBefore or after the verb. The command line outranks the environment, that the profile, "
      "that the default.\n";
  append_man_items(out, global_items());
  out += ".SH EXIT STATUS\n";
  for (const ExitInfo& exit : exit_table()) {
    out += fmt::format(".TP\n.B {}\n{}\n", static_cast<int>(exit.status), roff(exit.meaning));
  }
  out +=
      ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/mqboard/boards.toml\nsaved boards, by default in ~/.config\n"
      ".TP\n.I $XDG_STATE_HOME/mqboard/history\nwhat was typed into the repl, by default in ~/.local/state\n";
  return out;
}

// ---- Shell completion

namespace {

// The words of "-r,--recursive".
std::vector<std::string> words_of(const Item& item) {
  std::vector<std::string> words;
  std::string_view rest = item.names;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return words;
}

std::string option_words(const std::vector<Item>& items) {
  std::string out;
  for (const Item& item : items) {
    if (item.positional) continue;
    for (const std::string& word : words_of(item)) out.append(out.empty() ? "" : " ").append(word);
  }
  return out;
}

std::string verb_words(const VerbInfo* parent) {
  std::string out;
  for (const VerbInfo& verb : verb_table()) {
    const bool wanted =
        parent == nullptr ? !is_nested(verb) : verb.name.starts_with(fmt::format("{} ", parent->name));
    if (wanted) out.append(out.empty() ? "" : " ").append(own_name(verb));
  }
  return out;
}

Offer argument_offer(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.positional && item.offer != Offer::nothing) return item.offer;
  }
  return Offer::nothing;
}

// What completes the arguments of a verb, as a bash statement.
std::string bash_offer(Offer offer) {
  switch (offer) {
    case Offer::local_files:
      return "COMPREPLY+=($(compgen -f -- \"$cur\"))";
    case Offer::board_names:
      return "COMPREPLY+=($(compgen -W \"$(mqboard board list --names 2>/dev/null)\" -- \"$cur\"))";
    case Offer::shells:
      return "COMPREPLY+=($(compgen -W \"bash zsh fish\" -- \"$cur\"))";
    case Offer::nothing:
      break;
  }
  return ":";
}

// Options with a value, so that the word after one is not taken for a verb.
std::string valued_pattern(const std::vector<Item>& items) {
  std::string out;
  for (const Item& item : items) {
    if (item.positional || item.placeholder.empty()) continue;
    for (const std::string& word : words_of(item)) out.append(out.empty() ? "" : "|").append(word);
  }
  return out;
}

// Defines a completion function of bash.
std::string bash_function(std::string_view function_name) {
  const std::vector<Item> global = global_items();
  std::string out = fmt::format(
      "{}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} verb='' i word\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${{COMP_WORDS[i]}}\n"
      "    case $word in\n"
      "      {}) ((i++));;\n"
      "      -*) ;;\n"
      "      *) if [[ -z $verb ]]; then verb=$word; elif [[ $verb =~ ^(crash|ota|board)$ ]]; then verb+=\" "
      "$word\"; fi;;\n"
      "    esac\n"
      "  done\n"
      "  case $prev in\n"
      "    -b|--board) COMPREPLY=($(compgen -W \"$(mqboard board list --names 2>/dev/null)\" -- \"$cur\")); "
      "return;;\n"
      "    --cafile|--capath|--cert|--key|--password-file) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n"
      "    -o|--output) COMPREPLY=($(compgen -W 'text json' -- \"$cur\")); return;;\n"
      "    --protocol) COMPREPLY=($(compgen -W 'auto v1 v2' -- \"$cur\")); return;;\n"
      "    --color) COMPREPLY=($(compgen -W 'auto always never' -- \"$cur\")); return;;\n"
      "  esac\n"
      "  local options='{}'\n"
      "  case $verb in\n"
      "    '') COMPREPLY=($(compgen -W '{}' -- \"$cur\"));;\n",
      function_name, valued_pattern(global), option_words(global), verb_words(nullptr));
  for (const VerbInfo& verb : verb_table()) {
    const std::vector<Item> items = items_of(verb);
    if (verb.declare == nullptr) {
      out += fmt::format("    '{}') COMPREPLY=($(compgen -W '{}' -- \"$cur\"));;\n", verb.name,
                         verb_words(&verb));
    } else {
      out += fmt::format("    '{}') options+=' {}'; [[ $cur == -* ]] || {};;\n", verb.name,
                         option_words(items), bash_offer(argument_offer(items)));
    }
  }
  out +=
      "  esac\n"
      "  [[ $cur == -* ]] && COMPREPLY+=($(compgen -W \"$options\" -- \"$cur\"))\n"
      "}\n";
  return out;
}

std::string bash_script() {
  return "# mqboard completion for bash\n" + bash_function("_mqboard") +
         "complete -o filenames -F _mqboard mqboard\n";
}

// zsh runs bash's function. As a file named _mqboard in $fpath this is a function zsh calls when mqboard is
// first completed; from then on, and when it is sourced, what it registers is called.
std::string zsh_script() {
  return "#compdef mqboard\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_function("_mqboard_words") +
         "complete -o filenames -F _mqboard_words mqboard\n"
         "[[ ${funcstack[1]} != _mqboard ]] || _bash_complete -o filenames -F _mqboard_words\n";
}

std::string fish_quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_option(std::string_view condition, const Item& item) {
  std::string line = fmt::format("complete -c mqboard{}", condition);
  for (const std::string& word : words_of(item)) {
    line += word.starts_with("--") ? fmt::format(" -l {}", word.substr(2))
                                   : fmt::format(" -s {}", word.substr(1));
  }
  if (!item.placeholder.empty()) line += item.offer == Offer::local_files ? " -r -F" : " -x";
  return fmt::format("{} -d {}\n", line, fish_quote(item.help));
}

std::string fish_script() {
  std::string out =
      "# mqboard completion for fish\n"
      "complete -c mqboard -f\n"
      "complete -c mqboard -s b -l board -x -a '(mqboard board list --names 2>/dev/null)'\n";
  for (const Item& item : global_items()) out += fish_option("", item);
  for (const VerbInfo& verb : verb_table()) {
    const std::size_t space = verb.name.find(' ');
    const std::string condition =
        space == std::string_view::npos
            ? "__fish_use_subcommand"
            : fmt::format("__fish_seen_subcommand_from {}", verb.name.substr(0, space));
    out += fmt::format("complete -c mqboard -n {} -a {} -d {}\n", fish_quote(condition), own_name(verb),
                       fish_quote(verb.summary));
    const std::string inside = fmt::format(" -n '__fish_seen_subcommand_from {}'", own_name(verb));
    const std::vector<Item> items = items_of(verb);
    for (const Item& item : items) {
      if (!item.positional) out += fish_option(inside, item);
    }
    if (argument_offer(items) == Offer::local_files) out += fmt::format("complete -c mqboard{} -F\n", inside);
  }
  return out;
}

}  // namespace

std::optional<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "fish") return fish_script();
  if (shell == "zsh") return zsh_script();
  return std::nullopt;
}

}  // namespace mqboard::cli
