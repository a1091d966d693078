#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "board/devices.hpp"
#include "board/module_functions.hpp"
#include "board/text.hpp"

namespace mqboard::board {

using python::Call;
using python::HostResult;
using python::None;

namespace {

using Path = std::filesystem::path;
template<class Value>
using Answer = std::expected<Value, python::Exception>;

std::unexpected<python::Exception> failed(const Path& path) { return no_device(errno, path.string()); }

Answer<std::string> read_text(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(path);
  char text[64];
  const ssize_t count = ::read(fd, text, sizeof text);
  const int error = errno;
  ::close(fd);
  errno = error;
  if (count < 0) return failed(path);
  std::string_view line(text, static_cast<std::size_t>(count));
  return std::string(line.substr(0, line.find('\n')));
}

Answer<void> write_number(const Path& path, std::uint64_t number) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return failed(path);
  const std::string text = std::to_string(number);
  const ssize_t count = ::write(fd, text.data(), text.size());
  const int error = errno;
  ::close(fd);
  errno = error;
  if (count < 0) return failed(path);
  return {};
}

template<class Number>
Answer<Number> read_number(const Path& path) {
  const auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  Number number{};
  if (std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{}) {
    return python::os_error(EIO, concat(path.string(), ": no number"));
  }
  return number;
}

// --- PWM

// One channel, exported to us from when it is made to when it is destroyed.
class Output {
 public:
  Output(Path chip, std::string channel)
      : chip_(std::move(chip)), channel_(std::move(channel)), files_(chip_ / ("pwm" + channel_)) {}
  ~Output() {
    static_cast<void>(write_number(files_ / "enable", 0));
    if (exported_) static_cast<void>(write_channel("unexport"));
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Answer<void> claim() {
    if (::access(files_.c_str(), F_OK) == 0) return {};
    if (auto made = write_channel("export"); !made) return made;
    exported_ = true;
    return {};
  }
  // The host may give us the right to use what was exported a moment later.
  [[nodiscard]] bool usable() const { return ::access((files_ / "period").c_str(), W_OK) == 0; }

  // At no time may the pulse be longer than the period.
  Answer<void> set(std::uint64_t period_ns, std::uint64_t duty_ns) const {
    const auto before = read_number<std::uint64_t>(files_ / "duty_cycle");
    const bool duty_first = before && *before > period_ns;
    if (duty_first) {
      if (auto done = write_number(files_ / "duty_cycle", duty_ns); !done) return done;
    }
    if (auto done = write_number(files_ / "period", period_ns); !done) return done;
    if (!duty_first) {
      if (auto done = write_number(files_ / "duty_cycle", duty_ns); !done) return done;
    }
    return write_number(files_ / "enable", 1);
  }

 private:
  [[nodiscard]] Answer<void> write_channel(const char* file) const {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(channel_.data(), channel_.data() + channel_.size(), number);
    if (error != std::errc{} || end != channel_.data() + channel_.size()) {
      return python::os_error(ENODEV, concat(files_.string(), ": no such channel"));
    }
    return write_number(chip_ / file, number);
  }

  const Path chip_;
  const std::string channel_;
  const Path files_;
  bool exported_ = false;
};

// --- ADC

struct Converter {
  unsigned bits = 0;
  bool is_signed = false;

  [[nodiscard]] std::int64_t most() const { return (std::int64_t{1} << (is_signed ? bits - 1 : bits)) - 1; }
};

// "le:u12/16>>4": 12 bits, unsigned.
std::optional<Converter> parse_type(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon + 2 > text.size()) return {};
  Converter converter{.is_signed = text[colon + 1] == 's'};
  const char* const digits = text.data() + colon + 2;
  if (std::from_chars(digits, text.data() + text.size(), converter.bits).ec != std::errc{}) return {};
  if (converter.bits < 1 || converter.bits > 32) return {};
  return converter;
}

// One input of an IIO device: its files are in_voltage1_raw and so on.
class Input {
 public:
  Input(const Path& devices, const DevicesConfig::AnalogInput& config) : bits_(config.bits) {
    const std::size_t slash = config.channel.find('/');
    directory_ = devices / config.channel.substr(0, slash);
    channel_ = "in_" + config.channel.substr(slash + 1);
    kind_ = channel_.substr(0, channel_.find_last_not_of("0123456789") + 1);
  }

  [[nodiscard]] Answer<Converter> converter() const {
    std::optional<Converter> found;
    for (const char* place : {"scan_elements", "buffer0"}) {
      const auto type = read_text(directory_ / place / (channel_ + "_type"));
      if (type && !found) found = parse_type(*type);
    }
    if (bits_ != 0) return Converter{.bits = bits_, .is_signed = found && found->is_signed};
    if (found) return *found;
    return python::value_error(concat("the kernel does not say how many bits ", channel_,
                                      " has: write in board.toml {channel = \"...\", bits = 12}"));
  }
  [[nodiscard]] Answer<std::int64_t> raw() const {
    return read_number<std::int64_t>(directory_ / (channel_ + "_raw"));
  }
  // What the whole range is mapped to; below zero is zero.
  [[nodiscard]] HostResult u16() const {
    const auto value = raw();
    if (!value) return std::unexpected(value.error());
    const auto how = converter();
    if (!how) return std::unexpected(how.error());
    return std::clamp<std::int64_t>(*value, 0, how->most()) * 65'535 / how->most();
  }
  [[nodiscard]] HostResult microvolts() const {
    const auto value = raw();
    if (!value) return std::unexpected(value.error());
    const auto scale = shared("_scale");  // millivolts
    if (!scale) return std::unexpected(scale.error());
    const double offset = shared("_offset").value_or(0);
    const double result = (static_cast<double>(*value) + offset) * *scale * 1000;
    if (!(std::abs(result) < 1e15)) return python::os_error(EIO, "out of all range");
    return static_cast<std::int64_t>(std::llround(result));
  }

 private:
  // The channel's own, or that of all channels of its kind.
  [[nodiscard]] Answer<double> shared(const char* what) const {
    const auto own = read_number<double>(directory_ / (channel_ + what));
    return own ? own : read_number<double>(directory_ / (kind_ + what));
  }

  Path directory_;
  std::string channel_, kind_;  // "in_voltage1", "in_voltage"
  unsigned bits_;
};

// Python thread.
class Analog {
 public:
  Analog(DevicesConfig devices, Path sysfs) : devices_(std::move(devices)), sysfs_(std::move(sysfs)) {}

  HostResult open_output(const Call& call);
  HostResult set_output(const Call& call);
  void close_output(const Call& call) { outputs_.erase(std::string(call.text(0))); }
  HostResult open_input(const Call& call) const;
  [[nodiscard]] Input input(const Call& call) const;
  void close_all() { outputs_.clear(); }

 private:
  const DevicesConfig devices_;
  const Path sysfs_;
  std::map<std::string, std::unique_ptr<Output>> outputs_;
};

// Answers whether it can be used already.
HostResult Analog::open_output(const Call& call) {
  const std::string name(call.text(0));
  if (const auto known = outputs_.find(name); known != outputs_.end()) return known->second->usable();
  const std::string& channel = device_named(devices_.pwm, name, "pwm", "PWM", "pwmchip0/0");
  const std::size_t slash = channel.find('/');
  auto output =
      std::make_unique<Output>(sysfs_ / "class/pwm" / channel.substr(0, slash), channel.substr(slash + 1));
  if (auto claimed = output->claim(); !claimed) return std::unexpected(std::move(claimed.error()));
  return outputs_.emplace(name, std::move(output)).first->second->usable();
}

// name, period and pulse in nanoseconds
HostResult Analog::set_output(const Call& call) {
  const auto found = outputs_.find(std::string(call.text(0)));
  if (found == outputs_.end()) return python::os_error(EBADF);
  const std::int64_t period = call.integer(1), duty = call.integer(2);
  if (period < 1 || duty < 0 || duty > period) return python::value_error("no such pulse in this period");
  const auto set = found->second->set(static_cast<std::uint64_t>(period), static_cast<std::uint64_t>(duty));
  if (!set) return std::unexpected(set.error());
  return None{};
}

Input Analog::input(const Call& call) const {
  const std::string_view name = call.text(0);
  const auto found = std::ranges::find(devices_.adc, name, &DevicesConfig::AnalogInput::name);
  if (found == devices_.adc.end()) throw not_named(name, "adc", "ADC", "iio:device0/voltage0");
  return {sysfs_ / "bus/iio/devices", *found};
}

HostResult Analog::open_input(const Call& call) const {
  const Input opened = input(call);
  if (const auto value = opened.raw(); !value) return std::unexpected(value.error());
  if (const auto how = opened.converter(); !how) return std::unexpected(how.error());
  return None{};
}

}  // namespace

python::HostModule make_analog_module(const DevicesConfig& devices, Path sysfs) {
  const auto analog = std::make_shared<Analog>(devices, std::move(sysfs));
  python::HostModule module{.name = "_analog", .functions = {}, .constants = {}};
  const auto add = adder_of_functions(module, analog);
  add("open_pwm", [](Analog& a, Call& call) { return a.open_output(call); });
  add("set_pwm", [](Analog& a, Call& call) { return a.set_output(call); });
  add("close_pwm", [](Analog& a, Call& call) { a.close_output(call); });
  add("open_adc", [](Analog& a, Call& call) { return a.open_input(call); });
  add("u16", [](Analog& a, Call& call) { return a.input(call).u16(); });
  add("microvolts", [](Analog& a, Call& call) { return a.input(call).microvolts(); });
  add("close_all", [](Analog& a, Call&) { a.close_all(); });
  return module;
}

}  // namespace mqboard::board
