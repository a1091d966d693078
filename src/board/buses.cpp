#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/spi/spidev.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <map>
#include <memory>
#include <optional>
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

// A device node, open until the end.
struct Node {
  explicit Node(int descriptor) : fd(descriptor) {}
  ~Node() { ::close(fd); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const int fd;
  std::optional<std::uint8_t> spi_mode;  // as it is set
};

// Python thread.
class Buses {
 public:
  Buses(DevicesConfig devices, Ioctl ioctl) : devices_(std::move(devices)), ioctl_(std::move(ioctl)) {}

  HostResult open_i2c(const Call& call) { return answer(i2c(call)); }
  HostResult open_spi(const Call& call) { return answer(spi(call)); }
  HostResult transfer_i2c(const Call& call);
  HostResult transfer_spi(const Call& call);
  void close_all() { nodes_.clear(); }

 private:
  using Opened = std::expected<Node*, python::Exception>;

  Opened i2c(const Call& call) {
    return open(device_named(devices_.i2c, call.text(0), "i2c", "I2C", "/dev/i2c-1"));
  }
  Opened spi(const Call& call) {
    return open(device_named(devices_.spi, call.text(0), "spi", "SPI", "/dev/spidev0.0"));
  }
  Opened open(const std::string& device);
  HostResult set_spi_mode(Node& node, std::uint8_t wanted);
  static HostResult answer(const Opened& opened) {
    if (!opened) return std::unexpected(opened.error());
    return None{};
  }

  const DevicesConfig devices_;
  const Ioctl ioctl_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;  // by path
};

Buses::Opened Buses::open(const std::string& device) {
  if (const auto known = nodes_.find(device); known != nodes_.end()) return known->second.get();
  const int fd = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return no_device(errno, device);
  return nodes_.emplace(device, std::make_unique<Node>(fd)).first->second.get();
}

// As MicroPython's ports say it. Drivers do not agree on what a missing acknowledgement is.
HostResult i2c_failure(int code) {
  return python::os_error(code == ENXIO || code == EREMOTEIO ? ENODEV : code);
}

// name, address, bytes to write or None, number of bytes to read or -1: one transaction, with a repeated
// start between the two. Answers what was read.
HostResult Buses::transfer_i2c(const Call& call) {
  const auto node = i2c(call);
  if (!node) return std::unexpected(node.error());
  const std::int64_t address = call.integer(1), size = call.integer(3);
  const Bytes out = call.given(2) ? call.bytes(2) : Bytes{};
  if (address < 0 || address > 0x7f) return python::value_error("an address has 7 bits");
  if (out.size() > kMaxI2cMessage || size > static_cast<std::int64_t>(kMaxI2cMessage)) {
    return python::value_error(concat("at most ", kMaxI2cMessage, " bytes at once"));
  }
  python::ByteString in(size > 0 ? static_cast<std::size_t>(size) : 0);
  // The kernel does not write to what it sends.
  i2c_msg messages[2] = {{.addr = static_cast<__u16>(address),
                          .flags = 0,
                          .len = static_cast<__u16>(out.size()),
                          .buf = const_cast<std::uint8_t*>(out.data())},
                         {.addr = static_cast<__u16>(address),
                          .flags = I2C_M_RD,
                          .len = static_cast<__u16>(in.size()),
                          .buf = in.data()}};
  i2c_rdwr_ioctl_data transaction{.msgs = messages, .nmsgs = 0};
  if (!call.given(2)) transaction.msgs = &messages[1];
  transaction.nmsgs = (call.given(2) ? 1U : 0U) + (size >= 0 ? 1U : 0U);
  if (transaction.nmsgs == 0) return None{};
  if (ioctl_((*node)->fd, I2C_RDWR, &transaction) < 0) return i2c_failure(errno);
  if (size < 0) return None{};
  return in;
}

// The other bits, the chip select's polarity among them, are the device tree's.
HostResult Buses::set_spi_mode(Node& node, std::uint8_t wanted) {
  constexpr std::uint8_t kOurs = SPI_CPHA | SPI_CPOL | SPI_LSB_FIRST;
  if (node.spi_mode == wanted) return None{};
  std::uint8_t mode = 0;
  if (ioctl_(node.fd, SPI_IOC_RD_MODE, &mode) < 0) return python::os_error(errno);
  mode = static_cast<std::uint8_t>((mode & ~kOurs) | wanted);
  if (ioctl_(node.fd, SPI_IOC_WR_MODE, &mode) < 0) {
    if (errno == EINVAL) return python::value_error("the bus does not do this polarity, phase or firstbit");
    return python::os_error(errno);
  }
  node.spi_mode = wanted;
  return None{};
}

// name, baudrate, polarity, phase, bits, LSB first, bytes to write, whether what comes in is wanted, whether
// the chip stays selected for more. Answers what came in.
HostResult Buses::transfer_spi(const Call& call) {
  const auto node = spi(call);
  if (!node) return std::unexpected(node.error());
  const std::int64_t baud = call.integer(1), bits = call.integer(4);
  if (baud < 1 || baud > std::numeric_limits<std::int32_t>::max()) return python::value_error("baudrate");
  if (bits < 1 || bits > 32) return python::value_error("bits is 1 to 32");
  const Bytes out = call.bytes(6);
  if (out.size() > kMaxSpiTransfer) {
    return python::value_error(concat("at most ", kMaxSpiTransfer, " bytes at once"));
  }
  const auto mode =
      static_cast<std::uint8_t>((call.boolean(2) ? SPI_CPOL : 0) | (call.boolean(3) ? SPI_CPHA : 0) |
                                (call.boolean(5) ? SPI_LSB_FIRST : 0));
  if (auto set = set_spi_mode(**node, mode); !set) return set;
  const bool wanted = call.boolean(7);
  python::ByteString in(wanted ? out.size() : 0);
  spi_ioc_transfer transfer{};
  transfer.tx_buf = reinterpret_cast<std::uintptr_t>(out.data());
  transfer.rx_buf = wanted ? reinterpret_cast<std::uintptr_t>(in.data()) : 0;
  transfer.len = static_cast<__u32>(out.size());
  transfer.speed_hz = static_cast<__u32>(baud);
  transfer.bits_per_word = static_cast<__u8>(bits);
  transfer.cs_change = call.boolean(8) ? 1 : 0;  // of the last of a message: stay selected
  if (!out.empty() && ioctl_((*node)->fd, SPI_IOC_MESSAGE(1), &transfer) < 0) {
    if (errno == EINVAL) return python::value_error("the bus does not do these bits or this baudrate");
    return python::os_error(errno);
  }
  if (!wanted) return None{};
  return in;
}

int kernel_ioctl(int fd, unsigned long request, void* argument) { return ::ioctl(fd, request, argument); }

}  // namespace

python::HostModule make_bus_module(const DevicesConfig& devices, Ioctl ioctl) {
  const auto buses = std::make_shared<Buses>(devices, ioctl ? std::move(ioctl) : Ioctl(kernel_ioctl));
  python::HostModule module{.name = "_bus", .functions = {}, .constants = {}};
  const auto add = adder_of_functions(module, buses);
  add("open_i2c", [](Buses& b, Call& call) { return b.open_i2c(call); });
  add("open_spi", [](Buses& b, Call& call) { return b.open_spi(call); });
  add("i2c", [](Buses& b, Call& call) { return b.transfer_i2c(call); });
  add("spi", [](Buses& b, Call& call) { return b.transfer_spi(call); });
  add("close_all", [](Buses& b, Call&) { b.close_all(); });
  return module;
}

}  // namespace mqboard::board
