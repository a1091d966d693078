// cp: files and trees between here and the board, as mpremote writes it: a path on the board begins with ':'.
#include <filesystem>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/download.hpp"
#include "cli/sha256_hex.hpp"
#include "cli/transfer_bar.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

namespace fs = std::filesystem;

bool is_remote(std::string_view path) { return path.starts_with(':'); }

std::string remote_path(std::string_view path) {
  path.remove_prefix(1);
  return std::string(path.empty() ? "/" : path);
}

std::string local_hash(const std::string& path) {
  const auto content = LocalSource::open(path);
  return content ? sha256_hex(content->bytes()) : "";
}

class Copier {
 public:
  Copier(Board& board, Context context, bool recursive)
      : board_(board), context_(context), recursive_(recursive) {}

  // ---- to the board

  Done upload(std::string source, std::string target) {
    if (!is_directory(source)) co_return co_await upload_file(source, target);
    if (!recursive_)
      co_return fail(ExitStatus::usage, fmt::format("{} is a directory: -r copies it", source));
    if (auto ok = co_await board_.make_directory(target, true); !ok) co_return ok;
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(source, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      const std::string inner = join(target, it->path().lexically_relative(source).generic_string());
      Done step =
          it->is_directory() ? board_.make_directory(inner, true) : upload_file(it->path().string(), inner);
      if (auto ok = co_await std::move(step); !ok) co_return ok;
    }
    if (error) co_return fail(ExitStatus::usage, fmt::format("cannot read {}: {}", source, error.message()));
    co_return Result<>{};
  }

  // ---- from the board

  Done download(std::string source, std::string target) {
    auto entry = co_await board_.stat(source, false);
    if (!entry) co_return std::unexpected(entry.error());
    if (!entry->directory) co_return co_await download_file(source, target, "");
    if (!recursive_)
      co_return fail(ExitStatus::usage, fmt::format(":{} is a directory: -r copies it", source));
    auto entries = co_await board_.list(source, {.recursive = true, .sha = true});
    if (!entries) co_return std::unexpected(entries.error());
    if (auto ok = make_directories(target); !ok) co_return ok;
    for (const Entry& inner : *entries) {
      const std::string relative =
          inner.path.substr(std::min(inner.path.size(), source == "/" ? 1 : source.size() + 1));
      const std::string local = join(target, relative);
      if (inner.directory) {
        if (auto ok = make_directories(local); !ok) co_return ok;
      } else if (auto ok = co_await download_file(inner.path, local, inner.sha256); !ok) {
        co_return ok;
      }
    }
    co_return Result<>{};
  }

  // ---- on the board

  Done duplicate(std::string source, std::string target) {
    Memory content;
    TransferBar bar(context_.console, source);
    if (auto ok = co_await board_.get(source, content, bar.mover()); !ok) co_return ok;
    co_return co_await board_.put(target, content.bytes(), bar.mover());
  }

  [[nodiscard]] asio::awaitable<bool> is_remote_directory(std::string path) {
    const auto entry = co_await board_.stat(path, false);
    co_return entry && entry->directory;
  }

 private:
  class Memory final : public ContentSink {
   public:
    [[nodiscard]] std::uint64_t size() const override { return content_.size(); }
    [[nodiscard]] Sha256 hash() const override { return port::sha256(content_); }
    Result<> restart() override {
      content_.clear();
      return {};
    }
    Result<> write(Bytes data) override {
      content_.insert(content_.end(), data.begin(), data.end());
      return {};
    }
    [[nodiscard]] Bytes bytes() const { return content_; }

   private:
    std::vector<std::uint8_t> content_;
  };

  Done upload_file(std::string source, std::string target) {
    auto content = LocalSource::open(source);
    if (!content) co_return std::unexpected(content.error());
    context_.console.detail(fmt::format("{} -> :{}", source, target));
    TransferBar bar(context_.console, source);
    co_return co_await board_.put(target, content->bytes(), bar.mover());
  }

  Done download_file(std::string source, std::string target, std::string sha256) {
    if (!sha256.empty() && local_hash(target) == sha256) {
      context_.console.detail(fmt::format("{} is the same", target));
      co_return Result<>{};
    }
    context_.console.detail(fmt::format(":{} -> {}", source, target));
    auto into = Download::open(target);
    if (!into) co_return std::unexpected(into.error());
    TransferBar bar(context_.console, source);
    auto got = co_await board_.get(source, *into, bar.mover());
    if (!got) {
      into->keep_if_resumable(got.error());
      co_return got;
    }
    co_return into->commit();
  }

  Board& board_;
  Context context_;
  bool recursive_;
};

}  // namespace

Done perform(Cp verb, Context context) {
  if (verb.paths.size() < 2) co_return fail(ExitStatus::usage, "cp: sources and a destination are needed");
  std::string destination = std::move(verb.paths.back());
  verb.paths.pop_back();
  const bool to_board = is_remote(destination);
  for (const std::string& source : verb.paths) {
    if (!to_board && !is_remote(source)) {
      co_return fail(ExitStatus::usage,
                     fmt::format("cp: neither {} nor {} is on the board (:PATH)", source, destination));
    }
  }
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  Copier copier(**board, context, verb.recursive);
  if (to_board) destination = remote_path(destination);
  bool into = destination.ends_with('/') || (!to_board && is_directory(destination));
  if (to_board && !into) into = co_await copier.is_remote_directory(destination);
  if (!into && verb.paths.size() > 1) {
    co_return fail(ExitStatus::usage,
                   fmt::format("cp: {} is no directory to copy several files into", destination));
  }
  for (const std::string& source : verb.paths) {
    const std::string from = is_remote(source) ? remote_path(source) : source;
    const std::string target =
        into ? join(destination, base_name(fs::path(from).lexically_normal().string())) : destination;
    Done copy = !to_board           ? copier.download(from, target)
                : is_remote(source) ? copier.duplicate(from, target)
                                    : copier.upload(from, target);
    if (auto done = co_await std::move(copy); !done) co_return done;
  }
  co_return Result<>{};
}

}  // namespace mqboard::cli
