#include "cli/sync_spec.hpp"

#include <glob.h>

#include <memory>

#include <fmt/core.h>

#include "cli/local_file.hpp"

namespace mqboard::cli {

namespace {

constexpr std::string_view kSpaces = " \t\r\v\f";

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  while (true) {
    const std::size_t start = line.find_first_not_of(kSpaces);
    if (start == std::string_view::npos) return found;
    const std::size_t end = std::min(line.find_first_of(kSpaces, start), line.size());
    found.push_back(line.substr(start, end - start));
    line.remove_prefix(end);
  }
}

bool has_wildcard(std::string_view text) { return text.find_first_of("*?") != std::string_view::npos; }

class Parser {
 public:
  explicit Parser(std::string_view name) : name_(name) {}

  Result<> line(std::string_view line) {
    ++number_;
    line = line.substr(0, line.find('#'));
    const auto tokens = words(line);
    if (tokens.empty()) return {};
    const bool indented = kSpaces.find(line.front()) != std::string_view::npos;
    return indented ? files(tokens) : target(tokens);
  }

  std::vector<SyncBlock> blocks;

 private:
  [[nodiscard]] std::unexpected<Failure> wrong(std::string_view why) const {
    return fail(ExitStatus::usage, fmt::format("{}:{}: {}", name_, number_, why));
  }

  Result<> target(const std::vector<std::string_view>& tokens) {
    std::string_view directory = tokens.front();
    if (!directory.ends_with(':')) return wrong("a target directory followed by a colon is expected");
    directory.remove_suffix(1);
    SyncBlock block{.directory = std::string(directory), .files = {}};
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i] == "--check-only") {
        block.check_only = true;
      } else if (tokens[i] == "--no-update" || tokens[i] == "--no-put") {
        block.no_update = true;
      } else {
        return wrong(fmt::format("unknown option {}", tokens[i]));
      }
    }
    blocks.push_back(std::move(block));
    return {};
  }

  Result<> files(const std::vector<std::string_view>& tokens) {
    if (blocks.empty()) return wrong("files before the first target directory");
    std::size_t first = 0;
    std::string directory;
    if (tokens[0].ends_with(':')) {
      directory = tokens[0].substr(0, tokens[0].size() - 1);
      if (!directory.empty() && !directory.ends_with('/')) directory += '/';
      first = 1;
    }
    if (first == tokens.size()) return wrong("source files are expected after the directory");
    for (std::size_t i = first; i < tokens.size(); ++i) {
      if (auto ok = file(directory, tokens[i]); !ok) return ok;
    }
    return {};
  }

  Result<> file(const std::string& directory, std::string_view token) {
    const std::size_t arrow = token.find("->");
    SyncFile file{directory + std::string(token.substr(0, arrow)), ""};
    if (arrow != std::string_view::npos) {
      file.name = token.substr(arrow + 2);
      if (file.name.empty() || arrow == 0)
        return wrong(fmt::format("'{}': a name is missing beside ->", token));
      if (has_wildcard(file.source)) return wrong(fmt::format("'{}': no wildcards with ->", token));
    }
    blocks.back().files.push_back(std::move(file));
    return {};
  }

  std::string_view name_;
  unsigned number_ = 0;
};

}  // namespace

Result<std::vector<SyncBlock>> parse_sync_spec(std::string_view text, std::string_view name) {
  Parser parser(name);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto ok = parser.line(text.substr(0, end)); !ok) return std::unexpected(ok.error());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::move(parser.blocks);
}

Result<std::vector<SyncFile>> expand(const std::vector<SyncFile>& files) {
  std::vector<SyncFile> expanded;
  for (const SyncFile& file : files) {
    if (!has_wildcard(file.source)) {
      expanded.push_back({file.source, file.name.empty() ? std::string(base_name(file.source)) : file.name});
      continue;
    }
    glob_t found{};
    const int status = ::glob(file.source.c_str(), 0, nullptr, &found);
    const std::unique_ptr<glob_t, decltype(&::globfree)> release(&found, ::globfree);
    if (status != 0) return fail(ExitStatus::usage, fmt::format("{}: no file here matches", file.source));
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      const std::string path = found.gl_pathv[i];
      if (!is_directory(path)) expanded.push_back({path, std::string(base_name(path))});
    }
  }
  return expanded;
}

}  // namespace mqboard::cli
