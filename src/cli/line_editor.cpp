#include "cli/line_editor.hpp"

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/core.h>
#include <readline/history.h>
#include <readline/readline.h>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "cli/local_file.hpp"
#include "cli/repl_input.hpp"

namespace mqboard::cli {

namespace {

constexpr int kHistoryLines = 2000;
constexpr char kLeaveKey = ']' & 0x1f;
constexpr char kPasteKey = 'E' & 0x1f;

char* copy_for_readline(const std::string& text) { return ::strdup(text.c_str()); }

}  // namespace

class LineEditor::Impl {
 public:
  Impl(Session& session, std::string path, Completer completer)
      : session_(session),
        history_path_(std::move(path)),
        completer_(std::move(completer)),
        input_(session.executor(), ::dup(STDIN_FILENO)) {
    current_ = this;
    rl_readline_name = "mqboard";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_attempted_completion_function = &Impl::complete;
    rl_completer_word_break_characters = " \t\n\"\\'`@$><=;|&{}()[]+-*/%!~^,:";
    rl_initialize();
    rl_bind_key(kLeaveKey, &Impl::leave);
    rl_bind_key(kPasteKey, &Impl::paste);
    rl_bind_key('\t', &Impl::tab);
    using_history();
    stifle_history(kHistoryLines);
    history_comment_char = '#';  // entries of several lines are kept apart by time stamps
    history_write_timestamps = 1;
    if (!history_path_.empty()) read_history(history_path_.c_str());
  }

  ~Impl() {
    if (installed_) rl_callback_handler_remove();
    save_history();
    current_ = nullptr;
  }

  asio::awaitable<Result<Line>> read(std::string prompt, std::string initial) {
    line_.reset();
    initial_ = std::move(initial);
    rl_startup_hook = &Impl::insert_initial;
    rl_callback_handler_install(prompt.c_str(), &Impl::entered);
    installed_ = true;
    session_.on_interrupt([this] { interrupted(); });
    wait_for_input();
    auto waited = co_await session_.until_unlimited([this] { return line_.has_value(); });
    input_.cancel();
    if (std::exchange(installed_, false)) rl_callback_handler_remove();
    session_.on_interrupt({});
    if (!waited) co_return std::unexpected(waited.error());
    co_return std::move(*line_);
  }

 private:
  void wait_for_input() {
    input_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (error || line_) return;
                        rl_callback_read_char();
                        if (line_) return session_.notify();
                        wait_for_input();
                      });
  }

  void finish(Line::End end, std::string text) {
    line_ = Line{.end = end, .text = std::move(text)};
    if (std::exchange(installed_, false)) rl_callback_handler_remove();
  }

  void interrupted() {
    rl_free_line_state();
    rl_callback_sigcleanup();
    std::fputs("\n", stdout);
    finish(Line::End::interrupted, "");
    session_.notify();
  }

  // ---- readline's callbacks, which know no object

  static void entered(char* text) {
    const bool left = std::exchange(current_->leaving_, false);
    const bool paste = std::exchange(current_->pasting_, false);
    const Line::End end = left ? Line::End::left : text == nullptr ? Line::End::finished : Line::End::entered;
    current_->finish(end, text == nullptr ? "" : text);
    current_->line_->paste_mode = paste;
    if (end == Line::End::finished && !readline_ends_line()) std::fputs("\n", stdout);
    std::free(text);
  }

  // With bracketed paste readline itself ends the line of a Ctrl-D.
  static bool readline_ends_line() {
    const char* const bracketed = rl_variable_value("enable-bracketed-paste");
    return bracketed != nullptr && std::string_view(bracketed) == "on";
  }

  static int insert_initial() {
    rl_insert_text(current_->initial_.c_str());
    return 0;
  }

  static int leave(int, int) {
    current_->leaving_ = true;
    rl_done = 1;
    std::fputs("\n", stdout);
    return 0;
  }

  static int paste(int count, int key) {
    if (rl_end != 0) return rl_end_of_line(count, key);
    current_->pasting_ = true;
    return rl_newline(1, '\n');
  }

  // At the beginning of a line, Tab indents.
  static int tab(int count, int key) {
    for (int i = 0; i < rl_point; ++i) {
      if (rl_line_buffer[i] == ' ') continue;
      if (rl_last_func == &Impl::tab) rl_last_func = &rl_complete;  // the second Tab lists
      return rl_complete(count, key);
    }
    rl_insert_text("    ");
    return 0;
  }

  static char** complete(const char*, int, int end) {
    rl_attempted_completion_over = 1;       // never file names
    rl_completion_append_character = '\0';  // a name may go on with a dot or a bracket
    const std::string_view name =
        name_at_end(std::string_view(rl_line_buffer, static_cast<std::size_t>(end)));
    if (name.empty()) return nullptr;
    const std::vector<std::string> names = current_->completer_(name);
    if (names.empty()) return nullptr;
    // What they have in common, then all of them, then null.
    std::string common = names.front();
    for (const std::string& candidate : names) {
      const auto differ = std::mismatch(common.begin(), common.end(), candidate.begin(), candidate.end());
      common.erase(differ.first, common.end());
    }
    auto** const matches = static_cast<char**>(std::calloc(names.size() + 2, sizeof(char*)));
    matches[0] = copy_for_readline(common);
    if (names.size() == 1) return matches;
    for (std::size_t i = 0; i < names.size(); ++i) matches[i + 1] = copy_for_readline(names[i]);
    return matches;
  }

  void save_history() const {
    if (history_path_.empty() || !make_directories(history_path_.substr(0, history_path_.rfind('/')))) return;
    const mode_t mask = ::umask(077);
    write_history(history_path_.c_str());
    ::umask(mask);
  }

  static inline Impl* current_ = nullptr;

  Session& session_;
  std::string history_path_;
  Completer completer_;
  asio::posix::stream_descriptor input_;
  std::string initial_;
  std::optional<Line> line_;
  bool installed_ = false;
  bool leaving_ = false;
  bool pasting_ = false;
};

LineEditor::LineEditor(Session& session, std::string path, Completer completer)
    : impl_(std::make_unique<Impl>(session, std::move(path), std::move(completer))) {}

LineEditor::~LineEditor() = default;

asio::awaitable<Result<LineEditor::Line>> LineEditor::read(std::string prompt, std::string initial) {
  return impl_->read(std::move(prompt), std::move(initial));
}

void LineEditor::remember(std::string_view line) {
  if (line.find_first_not_of(" \t\n") == std::string_view::npos) return;
  const std::string text(line.substr(0, line.find_last_not_of(" \t\n") + 1));
  const HIST_ENTRY* const last =
      history_length > 0 ? history_get(history_base + history_length - 1) : nullptr;
  if (last == nullptr || text != last->line) add_history(text.c_str());
}

struct LineEditor::Running::Saved {
  termios before{};
  bool valid = false;
};

LineEditor::Running::Running() : saved_(std::make_unique<Saved>()) {
  saved_->valid = ::tcgetattr(STDIN_FILENO, &saved_->before) == 0;
  if (!saved_->valid) return;
  termios running = saved_->before;
  running.c_lflag |= ISIG;
  running.c_lflag &= ~static_cast<tcflag_t>(ECHO);  // shown when it is edited
  running.c_cc[VQUIT] = kLeaveKey;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &running);
}

LineEditor::Running::~Running() {
  if (saved_->valid) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_->before);
}

std::string history_path() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return fmt::format("{}/mqboard/history", state);
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? fmt::format("{}/.local/state/mqboard/history", home)
                                          : std::string();
}

}  // namespace mqboard::cli
