#include "cli/profile.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include <fmt/core.h>
#include <toml++/toml.h>

#include "cli/local_file.hpp"

namespace mqboard::cli {

namespace {

constexpr std::string_view kDefault = "default";

// Letters, digits, '-' and '_': a bare TOML key, and no trouble in a shell.
bool is_name(std::string_view name) {
  return !name.empty() && name != kDefault && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

const KeyInfo* key_named(std::string_view name) {
  for (const KeyInfo& row : key_table()) {
    if (row.profile == name && !name.empty()) return &row;
  }
  return nullptr;
}

std::unexpected<Failure> at(const std::string& path, const toml::source_region& where,
                            std::string_view what) {
  return fail(ExitStatus::usage, fmt::format("{}:{}: {}", path, where.begin.line, what));
}

std::optional<std::string> value_text(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  return std::nullopt;
}

Result<Layer> parse_board(const std::string& name, const toml::table& table, const std::string& path) {
  Layer layer(name);
  layer.kind = Layer::Kind::profile;
  for (const auto& [key, node] : table) {
    const KeyInfo* row = key_named(key.str());
    if (row == nullptr)
      return at(path, key.source(), fmt::format("[{}] has no setting '{}'", name, key.str()));
    auto text = value_text(node);
    if (!text)
      return at(path, node.source(), fmt::format("{}: text, number, true or false expected", key.str()));
    layer.set(row->key, std::move(*text));
  }
  return layer;
}

bool holds_password(const Profiles& profiles) {
  return std::any_of(profiles.boards().begin(), profiles.boards().end(),
                     [](const Profiles::Board& board) { return board.layer.get(Key::password).has_value(); });
}

// A TOML basic string.
std::string toml_string(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      literal += '\\';
      literal += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      literal += fmt::format("\\u{:04x}", byte);
    } else {
      literal += c;
    }
  }
  literal += '"';
  return literal;
}

// `name = value`, numbers and switches bare.
void write_value(std::ostream& out, const KeyInfo& row, const std::string& value) {
  const bool bare = row.key == Key::port || row.key == Key::timeout || row.argument.empty();
  out << row.profile << " = ";
  if (bare) {
    out << value << '\n';
  } else {
    out << toml_string(value) << '\n';
  }
}

}  // namespace

std::string profiles_path(const Lookup& environment) {
  const char* config = environment("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return fmt::format("{}/mqboard/boards.toml", config);
  const char* home = environment("HOME");
  if (home != nullptr && *home != '\0') return fmt::format("{}/.config/mqboard/boards.toml", home);
  return {};
}

Result<Profiles> Profiles::load(const std::string& path) {
  struct stat file {};
  if (path.empty() || ::stat(path.c_str(), &file) != 0) {
    Profiles none;
    none.path_ = path;
    return none;
  }
  std::ifstream in(path);
  std::stringstream content;
  content << in.rdbuf();
  if (!in) return fail(ExitStatus::usage, fmt::format("cannot read {}", path));
  auto profiles = parse(content.str(), path);
  if (profiles && (file.st_mode & 077) != 0 && holds_password(*profiles)) {
    return fail(ExitStatus::usage,
                fmt::format("{} holds a password and can be read by others: chmod 600 it", path));
  }
  return profiles;
}

Result<Profiles> Profiles::parse(std::string_view text, const std::string& path) {
  Profiles profiles;
  profiles.path_ = path;
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return at(path, error.source(), error.description());
  }
  for (const auto& [key, node] : root) {
    const std::string name(key.str());
    if (name == kDefault && node.is_string()) {
      profiles.default_ = *node.value<std::string>();
    } else if (const toml::table* table = node.as_table(); table != nullptr && is_name(name)) {
      auto layer = parse_board(name, *table, path);
      if (!layer) return std::unexpected(layer.error());
      profiles.boards_.push_back({name, std::move(*layer)});
    } else {
      return at(path, key.source(),
                fmt::format("'{}' is neither default = \"NAME\" nor a board's table", name));
    }
  }
  return profiles;
}

Result<std::optional<Layer>> Profiles::find(std::string_view name) const {
  const bool chosen = !name.empty();
  if (!chosen) name = default_;
  if (name.empty()) return std::nullopt;
  for (const Board& board : boards_) {
    if (board.name == name) return board.layer;
  }
  if (!chosen)
    return fail(ExitStatus::usage, fmt::format("{}: the default board '{}' is not in it", path_, name));
  return fail(ExitStatus::usage, fmt::format("no board '{}' in {}; see `mqboard board list`", name, path_));
}

Result<> Profiles::put(std::string_view name, const Layer& layer) {
  if (!is_name(name)) {
    return fail(ExitStatus::usage,
                fmt::format("'{}' is no name for a board: letters, digits, - and _", name));
  }
  Layer kept{std::string(name)};
  kept.kind = Layer::Kind::profile;
  for (const KeyInfo& row : key_table()) {
    if (!row.profile.empty() && layer.get(row.key)) kept.set(row.key, *layer.get(row.key));
  }
  if (auto ok = check(kept); !ok) return ok;
  const auto same =
      std::find_if(boards_.begin(), boards_.end(), [name](const Board& b) { return b.name == name; });
  if (same != boards_.end()) {
    same->layer = std::move(kept);
  } else {
    boards_.push_back({std::string(name), std::move(kept)});
  }
  if (default_.empty()) default_ = name;
  return {};
}

Result<> Profiles::remove(std::string_view name) {
  if (std::erase_if(boards_, [name](const Board& board) { return board.name == name; }) == 0) {
    return fail(ExitStatus::usage, fmt::format("no board '{}' in {}", name, path_));
  }
  if (default_ == name) default_.clear();
  return {};
}

Result<> Profiles::set_default(std::string_view name) {
  if (auto found = find(name); !found) return std::unexpected(found.error());
  default_ = name;
  return {};
}

std::string Profiles::to_toml() const {
  std::stringstream out;
  if (!default_.empty()) out << "default = " << toml_string(default_) << '\n';
  for (const Board& board : boards_) {
    out << "\n[" << board.name << "]\n";
    for (const KeyInfo& row : key_table()) {
      if (board.layer.get(row.key)) write_value(out, row, *board.layer.get(row.key));
    }
  }
  return out.str();
}

Result<> Profiles::save() const {
  if (path_.empty())
    return fail(ExitStatus::usage, "neither XDG_CONFIG_HOME nor HOME says where profiles are kept");
  const std::string directory = path_.substr(0, path_.rfind('/'));
  if (auto ok = make_directories(directory); !ok) return ok;
  auto file = LocalTarget::create(path_, 0600);
  if (!file) return std::unexpected(file.error());
  if (auto ok = file->write(as_bytes(to_toml())); !ok) return ok;
  return file->commit();
}

}  // namespace mqboard::cli
