#include "cli/command_line.hpp"

#include <algorithm>

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
  std::reverse(result.begin(), result.end());
  return result;
}

EarlyEnd usage_error(std::string what, const VerbInfo* verb) {
  if (const std::size_t end = what.find('\n'); end != std::string::npos) what.resize(end);
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
    return std::unexpected(usage_error(error.what(), parser.called()));
  }
  return invocation;
}

}  // namespace mqboard::cli
