// Pins that are lines of a GPIO chip of this machine, through libgpiod 1 (libgpiod.so.2), which is loaded
// when board.toml names a chip and otherwise costs nothing.
//
// A pin is a line's number, its name on the chip, or a name given in [pins]. `act_led` and `fail_led` exist
// in memory only unless they are given lines. A line is requested when it is first used and kept until the
// end.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "board/config.hpp"
#include "board/pins.hpp"

namespace mqboard::board {

// Threads: called on the Python thread; edges are reported on the executor's.
class GpioPins final : public Pins {
 public:
  using Changed = SimulatedPins::Changed;

  // Opens the chip. Without it, see trouble(), every use is OSError(ENODEV), except of the LEDs in memory.
  GpioPins(const PinsConfig& config, boost::asio::any_io_executor executor, Changed changed,
           const char* library = "libgpiod.so.2");
  ~GpioPins() override;

  // What is missing, in one line naming the thing; empty when the chip is there.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

  Answer<void> look_up(std::string_view pin) override;
  Answer<void> configure(std::string_view pin, const PinSetup& setup) override;
  Answer<bool> read(std::string_view pin) override;
  Answer<void> write(std::string_view pin, bool level) override;
  Answer<void> watch(std::string_view pin, PinEdges edges) override;
  Answer<void> drive(std::string_view pin, bool level) override;

 private:
  struct Library;
  class Line;

  [[nodiscard]] std::string open(const char* library);
  // Null: a pin in memory.
  Answer<std::shared_ptr<Line>> find(std::string_view pin);

  const PinsConfig config_;
  boost::asio::any_io_executor executor_;
  Changed changed_;
  SimulatedPins in_memory_;
  std::shared_ptr<Library> library_;
  std::string trouble_;
  std::map<std::string, std::shared_ptr<Line>, std::less<>> lines_;
};

}  // namespace mqboard::board
