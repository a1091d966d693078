// edit: a file of the board in the operator's editor.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include <fmt/core.h>
#include <boost/asio/post.hpp>

#include "cli/board.hpp"
#include "cli/download.hpp"
#include "cli/verbs.hpp"

namespace mqboard::cli {

namespace {

std::string editor() {
  for (const char* name : {"VISUAL", "EDITOR"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "vi";
}

// A directory that is removed with the one file in it.
class Workplace {
 public:
  static Result<Workplace> create(std::string_view file_name) {
    const char* const parent = std::getenv("TMPDIR");
    std::string directory =
        fmt::format("{}/mqboard-edit-XXXXXX", parent != nullptr && *parent != '\0' ? parent : "/tmp");
    if (::mkdtemp(directory.data()) == nullptr)
      return std::unexpected(local_failure("cannot create", directory));
    return Workplace(directory, join(directory, file_name));
  }
  Workplace(Workplace&& other) noexcept
      : directory_(std::exchange(other.directory_, {})), file_(std::move(other.file_)) {}
  Workplace& operator=(Workplace&&) = delete;
  ~Workplace() {
    if (directory_.empty()) return;
    ::unlink(file_.c_str());
    ::rmdir(directory_.c_str());
  }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  Workplace(std::string directory, std::string file)
      : directory_(std::move(directory)), file_(std::move(file)) {}

  std::string directory_;
  std::string file_;
};

// The editor may hold the terminal for hours; a thread waits for it so that the connection stays alive.
Done run_editor(Session& session, std::string file) {
  const std::string command = fmt::format("{} \"$1\"", editor());
  const char* const arguments[] = {"sh", "-c", command.c_str(), "sh", file.c_str(), nullptr};
  pid_t child = 0;
  if (::posix_spawnp(&child, "sh", nullptr, nullptr, const_cast<char* const*>(arguments), environ) != 0) {
    co_return std::unexpected(local_failure("cannot run", editor()));
  }
  std::optional<int> status;
  session.on_interrupt([] {});  // Ctrl-C is for the editor
  const std::jthread waiter([&session, &status, child] {
    int ended = 0;
    while (::waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    asio::post(session.executor(), [&session, &status, ended] {
      status = ended;
      session.notify();
    });
  });
  auto waited = co_await session.until_unlimited([&status] { return status.has_value(); });
  session.on_interrupt({});
  if (!waited) {
    ::kill(child, SIGTERM);
    co_return waited;
  }
  if (*status != 0)
    co_return fail(ExitStatus::usage, fmt::format("{} failed: nothing was changed", editor()));
  co_return Result<>{};
}

}  // namespace

Done perform(Edit verb, Context context) {
  auto board = co_await open_board(context.session);
  if (!board) co_return std::unexpected(board.error());
  auto workplace = Workplace::create(base_name(verb.file));
  if (!workplace) co_return std::unexpected(workplace.error());
  Sha256 before{};
  {
    auto download = Download::open(workplace->file());
    if (!download) co_return std::unexpected(download.error());
    auto got = co_await (*board)->get(verb.file, *download, [](std::uint64_t, std::uint64_t) {});
    if (!got && got.error().code != "not_found") co_return got;
    before = download->hash();
    if (auto ok = download->commit(); !ok) co_return ok;
    if (!got) context.console.note(fmt::format("{} is new", verb.file));
  }
  if (auto ok = co_await run_editor(context.session, workplace->file()); !ok) co_return ok;
  auto edited = LocalSource::open(workplace->file());
  if (!edited) co_return std::unexpected(edited.error());
  if (port::sha256(edited->bytes()) == before) {
    context.console.note(fmt::format("{} is unchanged", verb.file));
    co_return Result<>{};
  }
  context.session.progress();
  co_return co_await (*board)->put(verb.file, edited->bytes(), [](std::uint64_t, std::uint64_t) {});
}

}  // namespace mqboard::cli
