// The verbs of mqboard as a table: names, help, and what each takes. --help and parsing (command_line.cpp),
// the manual page and shell completion (command_docs.cpp) all read this one declaration.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.hpp"

namespace mqboard::cli {

enum class Need : std::uint8_t { required, optional };
// What a shell may offer for a word.
enum class Offer : std::uint8_t { nothing, local_files, board_names, shells };

// Told what a verb takes. The variables it is given live as long as the Slot they belong to.
class Declaration {
 public:
  virtual void argument(std::string_view name, std::string& into, Need need, std::string_view help,
                        Offer offer = Offer::nothing) = 0;
  virtual void arguments(std::string_view name, std::vector<std::string>& into, Need need,
                         std::string_view help, Offer offer = Offer::nothing) = 0;
  // `names`: "-r,--recursive".
  virtual void flag(std::string_view names, std::string_view help, std::function<void()> given) = 0;
  virtual void option(std::string_view names, std::string_view placeholder, std::string& into,
                      std::string_view help) = 0;
  virtual void option(std::string_view names, std::string_view placeholder,
                      std::optional<std::uint64_t>& into, std::string_view help) = 0;
  virtual void option(std::string_view names, std::string_view placeholder, double& into,
                      std::string_view help) = 0;

  void flag(std::string_view names, bool& into, std::string_view help) {
    flag(names, help, [&into] { into = true; });
  }

 protected:
  ~Declaration() = default;
};

// Holds the struct a verb is parsed into until it is known that this verb was meant.
class Slot {
 public:
  template<class Verb>
  Verb& make() {
    auto verb = std::make_shared<Verb>();
    take_ = [verb]() -> std::variant<Command, LocalCommand> {
      if constexpr (std::is_constructible_v<Command, Verb>) {
        return Command(std::move(*verb));
      } else {
        return LocalCommand(std::move(*verb));
      }
    };
    return *verb;
  }
  [[nodiscard]] std::variant<Command, LocalCommand> take() const { return take_(); }

 private:
  std::function<std::variant<Command, LocalCommand>()> take_;
};

struct VerbInfo {
  std::string_view name;     // "ls", "ota install"
  std::string_view group;    // heading in the help
  std::string_view summary;  // half a line
  std::string_view details;  // what is worth knowing
  std::string_view examples;
  // Declares what the verb takes. Null: only what stands before the space in the names of others.
  void (*declare)(Declaration&, Slot&);
};

[[nodiscard]] std::span<const VerbInfo> verb_table();

struct ExitInfo {
  ExitStatus status;
  std::string_view meaning;
};
[[nodiscard]] std::span<const ExitInfo> exit_table();

inline constexpr std::string_view kBoardOption = "-b,--board";
inline constexpr std::string_view kBoardHelp =
    "use this board's saved profile (default: the default profile) [MQBOARD_BOARD]";

}  // namespace mqboard::cli
