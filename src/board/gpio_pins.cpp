#include "board/gpio_pins.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "board/text.hpp"

// libgpiod's interface as of its stable ABI 2, declared here so that building needs nothing of it.
extern "C" {
struct gpiod_chip;
struct gpiod_line;
struct gpiod_line_event {
  struct timespec ts;
  int event_type;
};
}

namespace mqboard::board {

namespace asio = boost::asio;

namespace {

constexpr const char* kConsumer = "mqboard";
constexpr int kOpenDrain = 1 << 0, kPullNone = 1 << 3, kPullDown = 1 << 4, kPullUp = 1 << 5;  // request flags
constexpr int kRisingEdge = 1;                                                                // event type

python::Exception os_error(int code, std::string text) {
  return {python::Exception::Type::os_error, std::move(text), code};
}

bool is_led(std::string_view pin) { return pin == "act_led" || pin == "fail_led"; }

}  // namespace

struct GpioPins::Library {
  ~Library() {
    if (chip != nullptr) chip_close(chip);
    if (handle != nullptr) ::dlclose(handle);
  }
  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  template<class Function>
  bool resolve(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(::dlsym(handle, name));
    return function != nullptr;
  }
  bool resolve_all() {
    return resolve(chip_open_lookup, "gpiod_chip_open_lookup") && resolve(chip_close, "gpiod_chip_close") &&
           resolve(get_line, "gpiod_chip_get_line") && resolve(find_line, "gpiod_chip_find_line") &&
           resolve(request_input, "gpiod_line_request_input_flags") &&
           resolve(request_output, "gpiod_line_request_output_flags") &&
           resolve(request_events, "gpiod_line_request_both_edges_events_flags") &&
           resolve(release, "gpiod_line_release") && resolve(get_value, "gpiod_line_get_value") &&
           resolve(set_value, "gpiod_line_set_value") && resolve(event_fd, "gpiod_line_event_get_fd") &&
           resolve(event_read, "gpiod_line_event_read");
  }

  void* handle = nullptr;
  gpiod_chip* chip = nullptr;
  gpiod_chip* (*chip_open_lookup)(const char*) = nullptr;
  void (*chip_close)(gpiod_chip*) = nullptr;
  gpiod_line* (*get_line)(gpiod_chip*, unsigned) = nullptr;
  gpiod_line* (*find_line)(gpiod_chip*, const char*) = nullptr;
  int (*request_input)(gpiod_line*, const char*, int flags) = nullptr;
  int (*request_output)(gpiod_line*, const char*, int flags, int level) = nullptr;
  int (*request_events)(gpiod_line*, const char*, int flags) = nullptr;
  void (*release)(gpiod_line*) = nullptr;
  int (*get_value)(gpiod_line*) = nullptr;
  int (*set_value)(gpiod_line*, int) = nullptr;
  int (*event_fd)(gpiod_line*) = nullptr;
  int (*event_read)(gpiod_line*, gpiod_line_event*) = nullptr;
};

// One line in use. Its mutex guards all of it: edges come on another thread than the calls.
class GpioPins::Line : public std::enable_shared_from_this<Line> {
 public:
  Line(std::shared_ptr<Library> library, gpiod_line* line, std::string pin,
       const asio::any_io_executor& executor, Changed changed)
      : library_(std::move(library)),
        line_(line),
        pin_(std::move(pin)),
        events_(executor),
        changed_(std::move(changed)) {}
  ~Line() { let_go(); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  Answer<void> configure(const PinSetup& setup) {
    const std::lock_guard lock(mutex_);
    mode_ = setup.mode.value_or(mode_);
    pull_ = setup.pull.value_or(pull_);
    level_ = setup.level.value_or(level_);
    return request();
  }

  Answer<bool> read() {
    const std::lock_guard lock(mutex_);
    if (!requested_) {
      if (const auto ok = request(); !ok) return std::unexpected(ok.error());
    }
    const int level = library_->get_value(line_);
    if (level < 0) return failed("read");
    return level != 0;
  }

  Answer<void> write(bool level) {
    const std::lock_guard lock(mutex_);
    level_ = level;
    if (mode_ == PinMode::in) return {};  // for when it becomes an output
    if (!requested_) return request();
    if (library_->set_value(line_, level ? 1 : 0) != 0) return failed("write");
    return {};
  }

  Answer<void> watch(PinEdges edges) {
    const std::lock_guard lock(mutex_);
    edges_ = edges;
    return request();
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    changed_ = {};
    let_go();
  }

 private:
  std::unexpected<python::Exception> failed(std::string_view what) const {
    const int code = errno;
    return std::unexpected(os_error(code, concat(what, " pin ", pin_, ": ", std::strerror(code))));
  }

  void let_go() {
    if (events_.is_open()) events_.release();  // the descriptor is the line's
    if (std::exchange(requested_, false)) library_->release(line_);
  }

  Answer<void> request() {
    let_go();
    int flags = pull_ == PinPull::up ? kPullUp : pull_ == PinPull::down ? kPullDown : kPullNone;
    if (mode_ == PinMode::open_drain) flags |= kOpenDrain;
    const bool watched = mode_ == PinMode::in && edges_ != PinEdges::none;
    const int done = mode_ != PinMode::in ? library_->request_output(line_, kConsumer, flags, level_ ? 1 : 0)
                     : watched            ? library_->request_events(line_, kConsumer, flags)
                                          : library_->request_input(line_, kConsumer, flags);
    if (done != 0) return failed("use");
    requested_ = true;
    if (watched) wait();
    return {};
  }

  void wait() {
    const int fd = library_->event_fd(line_);
    boost::system::error_code error;
    if (!events_.is_open()) events_.assign(fd, error);
    if (error) return;
    events_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this()](const boost::system::error_code& failed) {
                         const auto self = weak.lock();
                         if (self && !failed) self->edge();
                       });
  }

  void edge() {
    Changed changed;
    bool rising = false;
    {
      const std::lock_guard lock(mutex_);
      if (!requested_ || !events_.is_open()) return;
      gpiod_line_event event{};
      if (library_->event_read(line_, &event) != 0) return;
      rising = event.event_type == kRisingEdge;
      const auto wanted = static_cast<unsigned>(rising ? PinEdges::rising : PinEdges::falling);
      if ((static_cast<unsigned>(edges_) & wanted) != 0) changed = changed_;
      wait();
    }
    if (changed) changed(pin_, rising);
  }

  const std::shared_ptr<Library> library_;
  gpiod_line* const line_;
  const std::string pin_;
  std::mutex mutex_;
  asio::posix::stream_descriptor events_;
  Changed changed_;
  PinMode mode_ = PinMode::in;
  PinPull pull_ = PinPull::none;
  PinEdges edges_ = PinEdges::none;
  bool level_ = false;
  bool requested_ = false;
};

GpioPins::GpioPins(const PinsConfig& config, asio::any_io_executor executor, Changed changed,
                   const char* library)
    : config_(config),
      executor_(std::move(executor)),
      changed_(std::move(changed)),
      in_memory_({}),
      library_(std::make_shared<Library>()),
      trouble_(open(library)) {}

std::string GpioPins::open(const char* library) {
  library_->handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (library_->handle == nullptr || !library_->resolve_all()) {
    return concat("pins.chip: ", library, " is needed for it: install libgpiod2");
  }
  library_->chip = library_->chip_open_lookup(config_.chip.c_str());
  if (library_->chip == nullptr) return concat("pins.chip: ", config_.chip, ": ", std::strerror(errno));
  return {};
}

GpioPins::~GpioPins() {
  for (const auto& [name, line] : lines_) line->stop();
}

GpioPins::Answer<std::shared_ptr<GpioPins::Line>> GpioPins::find(std::string_view pin) {
  if (const auto known = lines_.find(pin); known != lines_.end()) return known->second;
  const auto named = std::ranges::find(config_.lines, pin, &std::pair<std::string, std::string>::first);
  if (named == config_.lines.end() && is_led(pin)) return nullptr;
  if (!trouble_.empty()) return std::unexpected(os_error(ENODEV, trouble_));
  const std::string line = named == config_.lines.end() ? std::string(pin) : named->second;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  const bool is_number = error == std::errc{} && end == line.data() + line.size();
  gpiod_line* const found = is_number ? library_->get_line(library_->chip, number)
                                      : library_->find_line(library_->chip, line.c_str());
  if (found == nullptr) {
    return python::value_error(concat("no such pin: ", pin, " of ", config_.chip));
  }
  auto made = std::make_shared<Line>(library_, found, std::string(pin), executor_, changed_);
  return lines_.emplace(pin, std::move(made)).first->second;
}

GpioPins::Answer<void> GpioPins::look_up(std::string_view pin) {
  const auto line = find(pin);
  if (!line) return std::unexpected(line.error());
  return {};
}

GpioPins::Answer<void> GpioPins::configure(std::string_view pin, const PinSetup& setup) {
  const auto line = find(pin);
  if (!line) return std::unexpected(line.error());
  return *line ? (*line)->configure(setup) : in_memory_.configure(pin, setup);
}

GpioPins::Answer<bool> GpioPins::read(std::string_view pin) {
  const auto line = find(pin);
  if (!line) return std::unexpected(line.error());
  return *line ? (*line)->read() : in_memory_.read(pin);
}

GpioPins::Answer<void> GpioPins::write(std::string_view pin, bool level) {
  const auto line = find(pin);
  if (!line) return std::unexpected(line.error());
  return *line ? (*line)->write(level) : in_memory_.write(pin, level);
}

GpioPins::Answer<void> GpioPins::watch(std::string_view pin, PinEdges edges) {
  const auto line = find(pin);
  if (!line) return std::unexpected(line.error());
  return *line ? (*line)->watch(edges) : in_memory_.watch(pin, edges);
}

GpioPins::Answer<void> GpioPins::drive(std::string_view pin, bool) {
  return std::unexpected(python::Exception{python::Exception::Type::not_implemented_error,
                                           concat("pin ", pin, " is a line of ", config_.chip), 0});
}

}  // namespace mqboard::board
