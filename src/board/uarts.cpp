#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "board/devices.hpp"
#include "board/module_functions.hpp"
#include "board/text.hpp"
#include "board/tty.hpp"

namespace mqboard::board {

namespace asio = boost::asio;
using boost::system::error_code;
using python::Call;
using python::HostResult;
using python::None;

namespace {

[[noreturn]] void refuse(std::string what) {
  throw python::Exception{python::Exception::Type::value_error, std::move(what)};
}

std::int64_t ranged(const Call& call, std::size_t index, std::int64_t least, std::int64_t most,
                    std::string_view what) {
  const std::int64_t value = call.integer(index);
  if (value < least || value > most) refuse(concat(what, " is ", least, " to ", most));
  return value;
}

// Would block: None.
HostResult blocked() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return None{};
  return python::os_error(errno);
}

template<class Value>
HostResult answer(const std::expected<Value, TtyError>& result) {
  if (!result) return python::os_error(result.error());
  if constexpr (std::is_void_v<Value>) {
    return None{};
  } else if constexpr (std::is_same_v<Value, bool>) {
    return *result;
  } else {
    return static_cast<std::int64_t>(*result);
  }
}

// One open port. As a socket's, the descriptor is waited for on the executor only.
struct Uart {
  Uart(const asio::any_io_executor& executor, int descriptor)
      : waiting(executor, descriptor), fd(descriptor) {}

  asio::posix::stream_descriptor waiting;
  const int fd;
};

// Python thread.
class Uarts {
 public:
  Uarts(asio::any_io_executor executor, DeviceNames ports)
      : executor_(std::move(executor)), ports_(std::move(ports)) {}
  ~Uarts() { close_all(); }
  Uarts(const Uarts&) = delete;
  Uarts& operator=(const Uarts&) = delete;

  HostResult open(const Call& call);
  void wait(const Call& call, const python::Completion& done) const;
  void close(std::string_view name);
  void close_all();
  [[nodiscard]] int at(const Call& call) const { return find(call.text(0))->fd; }

 private:
  [[nodiscard]] const std::shared_ptr<Uart>& find(std::string_view name) const;

  asio::any_io_executor executor_;
  DeviceNames ports_;
  std::map<std::string, std::shared_ptr<Uart>, std::less<>> open_;  // at most one for each of ports_
};

const std::shared_ptr<Uart>& Uarts::find(std::string_view name) const {
  const auto found = open_.find(name);
  if (found == open_.end()) throw python::Exception{python::Exception::Type::os_error, {}, EBADF};
  return found->second;
}

// name, baudrate, bits, parity (-1: none, 0: even, 1: odd), stop bits, flow control
HostResult Uarts::open(const Call& call) {
  const std::string name(call.text(0));
  const std::string& device = device_named(ports_, name, "uart", "UART", "/dev/ttyUSB0");
  const TtySettings settings{.baud = static_cast<std::uint32_t>(ranged(call, 1, 1, 100'000'000, "baudrate")),
                             .bits = static_cast<unsigned>(ranged(call, 2, 5, 8, "bits")),
                             .parity = static_cast<TtySettings::Parity>(ranged(call, 3, -1, 1, "parity") + 1),
                             .stop_bits = static_cast<unsigned>(ranged(call, 4, 1, 2, "stop")),
                             .flow_control = call.boolean(5)};
  close(name);
  const int fd = ::open(device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return no_device(errno, device);
  if (const auto set_up = set_up_tty(fd, settings); !set_up) {
    ::close(fd);
    if (set_up.error() == EINVAL) {
      return python::value_error(
          concat(device, " does not do these settings (baudrate, bits, parity, stop)"));
    }
    return no_device(set_up.error() == ENOTTY ? ENODEV : set_up.error(), device);
  }
  open_.emplace(name, std::make_shared<Uart>(executor_, fd));
  return None{};
}

void Uarts::wait(const Call& call, const python::Completion& done) const {
  asio::post(executor_, [uart = find(call.text(0)), for_write = call.boolean(1), done] {
    using Descriptor = asio::posix::descriptor_base;
    uart->waiting.async_wait(for_write ? Descriptor::wait_write : Descriptor::wait_read,
                             [uart, done](error_code error) {
                               if (error) {
                                 done.fail({python::Exception::Type::os_error, {}, EBADF});
                               } else {
                                 done.complete();
                               }
                             });
  });
}

void Uarts::close(std::string_view name) {
  const auto found = open_.find(name);
  if (found == open_.end()) return;
  // Where it may be waited for.
  asio::post(executor_, [uart = std::move(found->second)] {
    error_code ignored;
    uart->waiting.close(ignored);
  });
  open_.erase(found);
}

void Uarts::close_all() {
  while (!open_.empty()) close(open_.begin()->first);
}

HostResult receive(int fd, const Call& call) {
  const std::int64_t wanted = std::clamp<std::int64_t>(call.integer(1), 0, kMaxUartRead);
  python::ByteString data(static_cast<std::size_t>(wanted));
  if (wanted == 0) return data;
  const ssize_t got = ::read(fd, data.data(), data.size());
  if (got < 0) return blocked();
  if (got == 0) return python::os_error(ENODEV, "the port is gone");
  data.resize(static_cast<std::size_t>(got));
  return data;
}

HostResult send(int fd, const Call& call) {
  const Bytes data = call.bytes(1);
  if (data.empty()) return std::int64_t{0};
  const ssize_t sent = ::write(fd, data.data(), data.size());
  if (sent < 0) return blocked();
  return std::int64_t{sent};
}

// Which of these poll() events have come.
HostResult ready(int fd, const Call& call) {
  pollfd entry{.fd = fd, .events = static_cast<short>(call.integer(1) & 0xff), .revents = 0};
  if (::poll(&entry, 1, 0) < 0) return python::os_error(errno);
  return std::int64_t{entry.revents};
}

}  // namespace

python::HostModule make_uart_module(asio::any_io_executor executor, DeviceNames ports) {
  const auto uarts = std::make_shared<Uarts>(std::move(executor), std::move(ports));
  python::HostModule module{.name = "_uart", .functions = {}, .constants = {}};
  const auto add = adder_of_functions(module, uarts);
  add("open", [](Uarts& u, Call& call) { return u.open(call); });
  add("receive", [](Uarts& u, Call& call) { return receive(u.at(call), call); });
  add("send", [](Uarts& u, Call& call) { return send(u.at(call), call); });
  add("ready", [](Uarts& u, Call& call) { return ready(u.at(call), call); });
  add("any", [](Uarts& u, Call& call) { return answer(tty_arrived(u.at(call))); });
  add("sent", [](Uarts& u, Call& call) { return answer(tty_sent(u.at(call))); });
  add("set_break", [](Uarts& u, Call& call) { return answer(set_tty_break(u.at(call), call.boolean(1))); });
  add("wait", [](Uarts& u, Call& call) -> HostResult {
    static_cast<void>(u.at(call));
    static_cast<void>(call.boolean(1));
    u.wait(call, call.defer());
    return None{};
  });
  add("close", [](Uarts& u, Call& call) { u.close(call.text(0)); });
  add("close_all", [](Uarts& u, Call&) { u.close_all(); });
  return module;
}

}  // namespace mqboard::board
