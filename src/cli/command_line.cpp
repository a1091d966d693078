#include "cli/command_line.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/command_docs.hpp"
#include "cli/local_file.hpp"
#include "cli/verb_table.hpp"

namespace mqboard::cli {

namespace {

constexpr auto kLastCounts = CLI::MultiOptionPolicy::TakeLast;

// Declares a verb's arguments to CLI11.
class ToCli11 final : public Declaration {
 public:
  explicit ToCli11(CLI::App& app) : app_(app) {}

  void argument(std::string_view name, std::string& into, Need need, std::string_view, Offer) override {
    app_.add_option(positional(name), into)->required(need == Need::required);
  }
  void arguments(std::string_view name, std::vector<std::string>& into, Need need, std::string_view,
                 Offer) override {
    app_.add_option(positional(name), into)->required(need == Need::required);
  }
  void flag(std::string_view names, std::string_view, std::function<void()> given) override {
    app_.add_flag_function(std::string(names), [given = std::move(given)](std::int64_t) { given(); });
  }
  void option(std::string_view names, std::string_view, std::string& into, std::string_view) override {
    app_.add_option(std::string(names), into)->multi_option_policy(kLastCounts);
  }
  void option(std::string_view names, std::string_view, std::optional<std::uint64_t>& into,
              std::string_view) override {
    app_.add_option(std::string(names), into)->multi_option_policy(kLastCounts);
  }
  void option(std::string_view names, std::string_view, double& into, std::string_view) override {
    app_.add_option(std::string(names), into)->multi_option_policy(kLastCounts);
  }

 private:
  // The word CLI11 names in its errors: the letters of ":DIR" or "SOURCE... DEST".
  static std::string positional(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto* const first = std::find_if(name.begin(), name.end(), letter);
    return {first, std::find_if_not(first, name.end(), letter)};
  }

  CLI::App& app_;
};

void declare_settings(CLI::App& app, Invocation& invocation) {
  app.add_option(std::string(kBoardOption), invocation.board)->multi_option_policy(kLastCounts);
  for (const KeyInfo& row : key_table()) {
    const std::string names(row.option);
    const Key key = row.key;
    Layer& layer = invocation.options;
    if (key == Key::verbose) {
      app.add_flag_function(names,
                            [&layer](std::int64_t count) { layer.set(Key::verbose, std::to_string(count)); });
    } else if (row.argument.empty()) {
      app.add_flag_function(
          names, [&layer, key](std::int64_t count) { layer.set(key, count > 0 ? "true" : "false"); });
    } else {
      app.add_option_function<std::string>(names,
                                           [&layer, key](const std::string& value) { layer.set(key, value); })
          ->multi_option_policy(kLastCounts);
    }
  }
}

// The parser, and the verb that was called.
class Parser {
 public:
  explicit Parser(Invocation& invocation) : app_("", "mqboard") {
    app_.set_help_flag("-h,--help");
    app_.set_version_flag("--version", "mqboard " MQB_VERSION);
    app_.require_subcommand(1);
    declare_settings(app_, invocation);
    for (const VerbInfo& verb : verb_table()) add(verb, invocation);
  }

  // Null as long as none is known.
  [[nodiscard]] const VerbInfo* called() const { return called_; }
  CLI::App& app() { return app_; }

 private:
  void add(const VerbInfo& verb, Invocation& invocation) {
    const std::size_t space = verb.name.find(' ');
    CLI::App* parent = &app_;
    std::string_view name = verb.name;
    if (space != std::string_view::npos) {
      parent = app_.get_subcommand(std::string(name.substr(0, space)));
      name.remove_prefix(space + 1);
    }
    CLI::App* const sub = parent->add_subcommand(std::string(name))->fallthrough();
    sub->set_help_flag("-h,--help");
    sub->preparse_callback([this, &verb](std::size_t) { called_ = &verb; });
    if (verb.declare == nullptr) {
      sub->require_subcommand(1);
      return;
    }
    auto slot = std::make_shared<Slot>();
    ToCli11 declaration(*sub);
    verb.declare(declaration, *slot);
    sub->callback([slot, &invocation] { invocation.command = slot->take(); });
  }

  CLI::App app_;
  const VerbInfo* called_ = nullptr;
};

// "mqview -n 3" is "mqboard view -n 3"; CLI11 wants the last argument first.
std::vector<std::string> reversed_arguments(std::span<const char* const> arguments) {
  std::vector<std::string> result(arguments.begin() + 1, arguments.end());
  const std::string_view name = base_name(arguments.front());
  if (name == "mqview") result.insert(result.begin(), "view");
  if (name == "mqsync") result.insert(result.begin(), "sync");
  if (!result.empty() && result.front() == "help") {  // "help ls" is "ls --help"
    result.erase(result.begin());
    result.emplace_back("--help");
  }
  std::reverse(result.begin(), result.end());
  return result;
}

// Letters to change, insert or leave out to make one word of the other.
std::size_t difference(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// `word` stands where a verb should, below the group of verbs `group` if there is one.
std::string no_such_verb(std::string_view word, const VerbInfo* group) {
  const std::string before = group == nullptr ? "" : fmt::format("{} ", group->name);
  constexpr std::size_t kLikely = 3;  // differences from which on it is another word
  std::size_t least = std::min(kLikely, word.size());
  std::string_view likely;
  for (const VerbInfo& verb : verb_table()) {
    if (!verb.name.starts_with(before)) continue;
    const std::string_view name = verb.name.substr(before.size());
    const bool nested = name.find(' ') != std::string_view::npos;
    if (const std::size_t different = difference(word, name); !nested && different < least) {
      least = different;
      likely = name;
    }
  }
  const std::string hint = likely.empty() ? "" : fmt::format(" (did you mean '{}{}'?)", before, likely);
  return fmt::format("'{}{}' is no verb{}", before, word, hint);
}

// What CLI11 complains about, in our words.
std::string complaint(const CLI::ParseError& error, const CLI::App& app, const VerbInfo* verb) {
  const bool no_verb = verb == nullptr || verb->declare == nullptr;
  const std::vector<std::string> unexpected = app.remaining(true);
  const bool required = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (!unexpected.empty() && (required || dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)) {
    const std::string& first = unexpected.front();
    if (first.size() > 1 && first.front() == '-') return fmt::format("unknown option {}", first);
    return no_verb ? no_such_verb(first, verb) : fmt::format("'{}' is one argument too many", first);
  }
  if (required && no_verb) return "no verb given";
  const std::string what = error.what();
  constexpr std::string_view kUnconverted = "Could not convert: ";
  if (const std::size_t equals = what.find(" = "); what.starts_with(kUnconverted) && equals < what.size()) {
    const std::string_view text = what;
    return fmt::format("{}: '{}' is no number",
                       text.substr(kUnconverted.size(), equals - kUnconverted.size()),
                       text.substr(equals + 3));
  }
  return what.substr(0, what.find('\n'));
}

EarlyEnd usage_error(std::string_view what, const VerbInfo* verb) {
  const std::string_view space = verb == nullptr ? "" : " ";
  const std::string_view name = verb == nullptr ? "" : verb->name;
  return {2, fmt::format("mqboard: {}; see `mqboard{}{} --help`\n", what, space, name)};
}

}  // namespace

std::expected<Invocation, EarlyEnd> parse_command_line(std::span<const char* const> arguments) {
  Invocation invocation;
  Parser parser(invocation);
  try {
    parser.app().parse(reversed_arguments(arguments));
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(
        EarlyEnd{0, parser.called() == nullptr ? help_overview() : help_of(*parser.called())});
  } catch (const CLI::CallForVersion& version) {
    return std::unexpected(EarlyEnd{0, fmt::format("{}\n", version.what())});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(usage_error(complaint(error, parser.app(), parser.called()), parser.called()));
  }
  return invocation;
}

}  // namespace mqboard::cli
