// Devices of this machine for Python's `machine`: serial ports, I2C, SPI, PWM outputs, analog inputs. Each
// factory makes the host module behind classes in ROM.
//
// Python names a device as board.toml does (machine.UART(1) is `[uart] 1`); one not named there is
// ValueError, one that is not there OSError(ENODEV), both with a text. Nothing is opened before it is used,
// and every module has close_all() for a fresh interpreter.
//
// Threads: called on the Python thread. Serial ports never block it. A transfer on a bus, and a conversion,
// takes as long as it takes: Python stands still, nothing else does.
#pragma once

#include <filesystem>
#include <functional>

#include <boost/asio/any_io_executor.hpp>

#include "board/config.hpp"
#include "python/host_module.hpp"

namespace mqboard::board {

inline constexpr std::size_t kMaxUartRead = 4096;     // at once; the kernel holds no more
inline constexpr std::size_t kMaxI2cMessage = 8192;   // the kernel's limit
inline constexpr std::size_t kMaxSpiTransfer = 4096;  // at once; what spidev takes unless told otherwise

// ioctl(2); a test's stand-in for a bus there is none of.
using Ioctl = std::function<int(int fd, unsigned long request, void* argument)>;

// `_uart`, behind machine.UART: termios ports. `executor`: where waiting happens; it outlives the module's
// use.
[[nodiscard]] python::HostModule make_uart_module(boost::asio::any_io_executor executor, DeviceNames ports);

// `_bus`, behind machine.I2C and machine.SPI: i2c-dev and spidev.
[[nodiscard]] python::HostModule make_bus_module(const DevicesConfig& devices, Ioctl ioctl = {});

// `_analog`, behind machine.PWM and machine.ADC: the kernel's pwm class and IIO devices, files beneath
// `sysfs`. Outputs stop with the module.
[[nodiscard]] python::HostModule make_analog_module(const DevicesConfig& devices,
                                                    std::filesystem::path sysfs = "/sys");

// `kind`: "uart"; `shown`: "UART"; `example`: "/dev/ttyUSB0".
[[nodiscard]] python::Exception not_named(std::string_view name, std::string_view kind,
                                          std::string_view shown, std::string_view example);
// What board.toml says of the device; throws not_named().
[[nodiscard]] const std::string& device_named(const DeviceNames& names, std::string_view name,
                                              std::string_view kind, std::string_view shown,
                                              std::string_view example);
// What a device cannot be opened for. That it is not there is ENODEV.
[[nodiscard]] std::unexpected<python::Exception> no_device(int code, std::string_view device);

}  // namespace mqboard::board
