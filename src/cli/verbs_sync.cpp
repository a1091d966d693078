// sync: brings files on the board up to date, by a specification or as the mirror of a directory.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "cli/sha256_hex.hpp"
#include "cli/sync_spec.hpp"
#include "cli/transfer_bar.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

namespace fs = std::filesystem;

// What one run does to the board, and how it says so: the lines of the original.
class Synchronizer {
 public:
  Synchronizer(Board& board, Context context, const Sync& verb)
      : board_(board), context_(context), verb_(verb) {}

  Done block(SyncBlock block) {
    if (!context_.console.json()) context_.console.line(fmt::format("Target directory {}", block.directory));
    auto files = expand(block.files);
    if (!files) co_return std::unexpected(files.error());
    auto there = co_await listing(block.directory, block.check_only);
    if (!there) co_return std::unexpected(there.error());
    std::set<std::string> wanted;
    for (const SyncFile& file : *files) {
      wanted.insert(file.name);
      const auto known = there->find(file.name);
      const Entry* entry = known == there->end() ? nullptr : &known->second;
      if (auto ok = co_await bring(file.source, join(block.directory, file.name), entry, block); !ok)
        co_return ok;
    }
    if (!verb_.remove_others || block.check_only) co_return Result<>{};
    for (const auto& [name, entry] : *there) {
      if (entry.directory || wanted.contains(name)) continue;
      if (auto ok = co_await remove(entry); !ok) co_return ok;
    }
    co_return Result<>{};
  }

  // Everything below a local directory; with --delete nothing else stays below the remote one.
  Done mirror(std::string local, std::string remote) {
    std::error_code error;
    std::vector<std::pair<std::string, bool>> found;  // relative path, is a directory
    for (auto it = fs::recursive_directory_iterator(local, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      found.emplace_back(it->path().lexically_relative(local).generic_string(), it->is_directory());
    }
    if (error) co_return fail(ExitStatus::usage, fmt::format("cannot read {}: {}", local, error.message()));
    std::sort(found.begin(), found.end());
    auto there = co_await tree(remote);
    if (!there) co_return std::unexpected(there.error());
    const SyncBlock rules{.directory = remote, .files = {}};
    for (const auto& [path, directory] : found) {
      const std::string target = join(remote, path);
      const auto known = there->find(target);
      const Entry* entry = known == there->end() ? nullptr : &known->second;
      Done step = directory ? make_directory(target, entry) : bring(join(local, path), target, entry, rules);
      if (auto ok = co_await std::move(step); !ok) co_return ok;
    }
    if (verb_.remove_others) co_return co_await remove_strangers(found, remote, *there);
    co_return Result<>{};
  }

  void finish() {
    if (context_.console.json()) context_.console.record(json::array(records_));
  }

 private:
  using Listing = std::map<std::string, Entry>;

  void say(std::string_view action, std::string_view why, std::string_view source, std::string_view target) {
    if (context_.console.json()) {
      records_.push_back(
          json::object({{"action", action}, {"why", why}, {"source", source}, {"target", target}}));
    } else if (source.empty()) {
      context_.console.line(fmt::format("  {:4} {}", action, target));
    } else {
      context_.console.line(fmt::format("  {:4} {:7} {} -> {}", action, why, source, target));
    }
  }

  asio::awaitable<Result<Listing>> listing(std::string directory, bool check_only) {
    auto entries = co_await board_.list(directory, {.recursive = false, .sha = true});
    Listing named;
    if (!entries) {
      if (entries.error().code != "not_found") co_return std::unexpected(entries.error());
      say("mkdir", "missing", "", directory);
      if (!verb_.dry_run && !check_only) {
        if (auto ok = co_await board_.make_directory(directory, true); !ok)
          co_return std::unexpected(ok.error());
      }
      co_return named;
    }
    for (Entry& entry : *entries) {
      std::string name(base_name(entry.path));
      named.emplace(std::move(name), std::move(entry));
    }
    co_return named;
  }

  asio::awaitable<Result<Listing>> tree(std::string remote) {
    auto entries = co_await board_.list(remote, {.recursive = true, .sha = true});
    Listing named;
    if (!entries) {
      if (entries.error().code != "not_found") co_return std::unexpected(entries.error());
      if (auto ok = co_await make_directory(remote, nullptr); !ok) co_return std::unexpected(ok.error());
      co_return named;
    }
    for (Entry& entry : *entries) {
      std::string path = entry.path;
      named.emplace(std::move(path), std::move(entry));
    }
    co_return named;
  }

  Done make_directory(std::string path, const Entry* known) {
    if (known != nullptr && known->directory) co_return Result<>{};
    say("mkdir", "missing", "", path);
    if (verb_.dry_run) co_return Result<>{};
    co_return co_await board_.make_directory(path, true);
  }

  Done bring(std::string source, std::string target, const Entry* known, const SyncBlock& rules) {
    auto content = LocalSource::open(source);
    if (!content) co_return std::unexpected(content.error());
    if (known != nullptr && known->sha256 == sha256_hex(content->bytes())) {
      say("ok", "same", "", base_name(target));
      co_return Result<>{};
    }
    const char* const why = known != nullptr ? "shadiff" : "missing";
    const bool skip = rules.check_only || (rules.no_update && known != nullptr);
    say(skip ? "skip" : "put", why, source, target);
    if (skip || verb_.dry_run) co_return Result<>{};
    TransferBar bar(context_.console, source);
    co_return co_await board_.put(target, content->bytes(), bar.mover());
  }

  Done remove(Entry entry) {
    say("rm", "other", "", entry.path);
    if (verb_.dry_run) co_return Result<>{};
    co_return co_await board_.remove(entry.path, true, true);
  }

  // What is below the remote directory but not here; of a directory removed, not its content again.
  Done remove_strangers(const std::vector<std::pair<std::string, bool>>& found, std::string remote,
                        const Listing& there) {
    std::set<std::string> wanted;
    for (const auto& [path, directory] : found) wanted.insert(join(remote, path));
    std::string removed;
    for (const auto& [path, entry] : there) {
      const bool below = !removed.empty() && path.starts_with(removed);
      if (wanted.contains(path) || below) continue;
      if (auto ok = co_await remove(entry); !ok) co_return ok;
      if (entry.directory) removed = path + "/";
    }
    co_return Result<>{};
  }

  Board& board_;
  Context context_;
  const Sync& verb_;
  std::vector<json::Value> records_;
};

}  // namespace

Done perform(Sync verb, Context context) {
  const bool mirror = is_directory(verb.source);
  if (mirror != !verb.destination.empty() || (mirror && !verb.destination.starts_with(':'))) {
    co_return fail(ExitStatus::usage,
                   "sync takes a specification, or a directory here and one on the board (:PATH)");
  }
  std::vector<SyncBlock> blocks;
  if (!mirror) {
    auto text = LocalSource::open(verb.source);
    if (!text) co_return std::unexpected(text.error());
    auto parsed = parse_sync_spec(as_text(text->bytes()), verb.source);
    if (!parsed) co_return std::unexpected(parsed.error());
    blocks = std::move(*parsed);
  }
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  Synchronizer synchronizer(**board, context, verb);
  if (mirror) {
    std::string remote = verb.destination.substr(1);
    if (remote.empty()) remote = "/";
    if (auto ok = co_await synchronizer.mirror(verb.source, remote); !ok) co_return ok;
  }
  for (const SyncBlock& block : blocks) {
    if (auto ok = co_await synchronizer.block(block); !ok) co_return ok;
  }
  synchronizer.finish();
  co_return Result<>{};
}

}  // namespace mqboard::cli
