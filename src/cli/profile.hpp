// Saved boards: $XDG_CONFIG_HOME/mqboard/boards.toml (~/.config/mqboard/boards.toml).
//
//   default = "kitchen"
//   [kitchen]
//   server = "mqtts://broker.example"
//   prefix = "esp32/kitchen"
//   username = "operator"
//   password_file = "/home/me/.mqtt-password"
//
// The names of a table are those in the settings' key table. The file may hold passwords: it is written with
// mode 0600 (by temporary file and rename), and one that others can read is refused as soon as it holds one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/settings.hpp"

namespace mqboard::cli {

// Where the file is, whether or not it exists. Empty when neither XDG_CONFIG_HOME nor HOME is set.
[[nodiscard]] std::string profiles_path(const Lookup& environment);

class Profiles {
 public:
  // A missing file is an empty one. Errors name file, line and key.
  [[nodiscard]] static Result<Profiles> load(const std::string& path);
  [[nodiscard]] static Result<Profiles> parse(std::string_view toml, const std::string& path);

  // The profile's settings; the default one for an empty name, nothing if there is no default.
  [[nodiscard]] Result<std::optional<Layer>> find(std::string_view name) const;

  struct Board {
    std::string name;
    Layer layer;
  };
  [[nodiscard]] const std::vector<Board>& boards() const { return boards_; }
  [[nodiscard]] const std::string& default_name() const { return default_; }

  // Adds or replaces; the first board becomes the default.
  [[nodiscard]] Result<> put(std::string_view name, const Layer& layer);
  [[nodiscard]] Result<> remove(std::string_view name);
  [[nodiscard]] Result<> set_default(std::string_view name);

  [[nodiscard]] std::string to_toml() const;
  [[nodiscard]] Result<> save() const;

 private:
  std::string path_;
  std::string default_;
  std::vector<Board> boards_;
};

}  // namespace mqboard::cli
