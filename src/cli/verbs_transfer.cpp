#include <fmt/core.h>

#include "cli/board.hpp"
#include "cli/download.hpp"
#include "cli/transfer_bar.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

// A file's content on standard output.
class Printer final : public ContentSink {
 public:
  explicit Printer(Console& console) : console_(console) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Sha256 hash() const override { return hasher_.so_far(); }
  Result<> restart() override {
    return fail(ExitStatus::integrity, "the file changed while it was being printed");
  }
  Result<> write(Bytes data) override {
    hasher_.update(data);
    size_ += data.size();
    console_.data(data);
    return {};
  }

 private:
  Console& console_;
  port::Sha256Hasher hasher_;
  std::uint64_t size_ = 0;
};

// Where `get REMOTE LOCAL` writes.
std::string local_name(const Get& verb) {
  if (verb.local.empty()) return std::string(base_name(verb.remote));
  if (verb.local != "-" && (verb.local.ends_with('/') || is_directory(verb.local))) {
    return join(verb.local, base_name(verb.remote));
  }
  return verb.local;
}

// Where `put LOCAL REMOTE` writes.
Result<std::string> remote_name(const Put& verb) {
  const bool names_directory = verb.remote.empty() || verb.remote.ends_with('/');
  if (!names_directory) return verb.remote;
  if (verb.local == "-")
    return fail(ExitStatus::usage, "put: what standard input holds needs a name on the board");
  const std::string_view name = base_name(verb.local);
  return verb.remote.empty() ? std::string(name) : verb.remote + std::string(name);
}

void report(Console& console, std::string_view path, std::uint64_t size) {
  if (console.json()) {
    console.record(json::object({{"path", path}, {"size", size}}));
  } else {
    console.detail(fmt::format("{}: {} bytes", path, size));
  }
}

}  // namespace

Done perform(Get verb, Context context) {
  const std::string name = local_name(verb);
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto download = Download::open(name);
  if (!download) co_return std::unexpected(download.error());
  {
    TransferBar bar(context.console, verb.remote);
    auto got = co_await (*board)->get(verb.remote, *download, bar.mover());
    if (!got) {
      download->keep_if_resumable(got.error());
      co_return got;
    }
  }
  if (auto ok = download->commit(); !ok) co_return ok;
  if (name != "-") report(context.console, name, download->size());
  co_return Result<>{};
}

Done perform(Put verb, Context context) {
  auto name = remote_name(verb);
  if (!name) co_return std::unexpected(name.error());
  auto source = LocalSource::open(verb.local);
  if (!source) co_return std::unexpected(source.error());
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  {
    TransferBar bar(context.console, verb.local);
    if (auto ok = co_await (*board)->put(*name, source->bytes(), bar.mover()); !ok) co_return ok;
  }
  report(context.console, *name, source->size());
  co_return Result<>{};
}

Done perform(Cat verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  for (const std::string& file : verb.files) {
    Printer printer(context.console);
    if (auto ok = co_await (*board)->get(file, printer, [](std::uint64_t, std::uint64_t) {}); !ok)
      co_return ok;
  }
  context.console.end_line();
  co_return Result<>{};
}

}  // namespace mqboard::cli
