// A libgpiod in memory, of the functions GpioPins uses: a chip "fakechip" of eight lines, the third named
// "PUMP". A test loads it as the board would, and moves its lines by fake_gpiod_drive().
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

extern "C" {

struct gpiod_line_event {
  struct timespec ts;
  int event_type;
};
struct gpiod_line {
  bool requested = false, output = false, level = false, events = false;
  int flags = 0;
  std::array<int, 2> pipe{-1, -1};
};
struct gpiod_chip {
  std::array<gpiod_line, 8> lines;
};

static gpiod_chip chip;

gpiod_chip* gpiod_chip_open_lookup(const char* name) {
  if (std::strcmp(name, "fakechip") == 0) return &chip;
  errno = ENOENT;
  return nullptr;
}
void gpiod_chip_close(gpiod_chip* closed) { *closed = {}; }
gpiod_line* gpiod_chip_get_line(gpiod_chip* of, unsigned offset) {
  return offset < of->lines.size() ? &of->lines.at(offset) : nullptr;
}
gpiod_line* gpiod_chip_find_line(gpiod_chip* of, const char* name) {
  return std::strcmp(name, "PUMP") == 0 ? &of->lines[2] : nullptr;
}

static int take(gpiod_line* line, int flags) {
  if (line->requested) return errno = EBUSY, -1;
  line->requested = true;
  line->flags = flags;
  return 0;
}
int gpiod_line_request_input_flags(gpiod_line* line, const char*, int flags) { return take(line, flags); }
int gpiod_line_request_output_flags(gpiod_line* line, const char*, int flags, int level) {
  if (take(line, flags) != 0) return -1;
  line->output = true;
  line->level = level != 0;
  return 0;
}
int gpiod_line_request_both_edges_events_flags(gpiod_line* line, const char*, int flags) {
  if (take(line, flags) != 0) return -1;
  line->events = true;
  return ::pipe2(line->pipe.data(), O_CLOEXEC | O_NONBLOCK);
}
void gpiod_line_release(gpiod_line* line) {
  for (int& end : line->pipe) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  line->requested = line->output = line->events = false;
}
int gpiod_line_get_value(gpiod_line* line) {
  return line->requested ? int{line->level} : (errno = EPERM, -1);
}
int gpiod_line_set_value(gpiod_line* line, int level) {
  if (!line->requested || !line->output) return errno = EPERM, -1;
  line->level = level != 0;
  return 0;
}
int gpiod_line_event_get_fd(gpiod_line* line) { return line->pipe[0]; }
int gpiod_line_event_read(gpiod_line* line, gpiod_line_event* event) {
  return ::read(line->pipe[0], event, sizeof *event) == sizeof *event ? 0 : -1;
}

// What the outside world does to an input, and what a test looks at.
void fake_gpiod_drive(unsigned offset, int level) {
  gpiod_line& line = chip.lines.at(offset);
  line.level = level != 0;
  const gpiod_line_event event{.ts = {}, .event_type = level != 0 ? 1 : 2};
  if (line.events) static_cast<void>(::write(line.pipe[1], &event, sizeof event));
}
int fake_gpiod_flags(unsigned offset) { return chip.lines.at(offset).flags; }
int fake_gpiod_is_output(unsigned offset) { return chip.lines.at(offset).output ? 1 : 0; }
int fake_gpiod_is_requested(unsigned offset) { return chip.lines.at(offset).requested ? 1 : 0; }
}
