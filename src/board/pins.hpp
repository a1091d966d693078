// The pins a board's applications use (machine.Pin, the LEDs): an interface, and pins that exist in memory
// only.
//
// A pin is named by text: "2", "LED", "act_led". Which names exist is up to the implementation; one it does
// not know is ValueError.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "python/value.hpp"

namespace mqboard::board {

enum class PinMode : std::uint8_t { in = 1, out = 3, open_drain = 7 };  // the numbers of machine.Pin
enum class PinPull : std::uint8_t { none = 0, down = 1, up = 2 };

enum class PinEdges : std::uint8_t { none = 0, rising = 1, falling = 2, both = 3 };

// What is absent stays as it was; a pin nobody has set up is an input without pull.
struct PinSetup {
  std::optional<PinMode> mode;
  std::optional<PinPull> pull;
  std::optional<bool> level;  // of the output
};

// Threads: called on the Python thread; SimulatedPins from any.
class Pins {
 public:
  template<class Value>
  using Answer = std::expected<Value, python::Exception>;

  virtual ~Pins() = default;

  // Whether there is such a pin. Leaves it alone: it may be in other use, as a bus's.
  virtual Answer<void> look_up(std::string_view pin) = 0;
  virtual Answer<void> configure(std::string_view pin, const PinSetup& setup) = 0;
  virtual Answer<bool> read(std::string_view pin) = 0;
  virtual Answer<void> write(std::string_view pin, bool level) = 0;
  // From now on reports these changes of the pin's level to whoever was named when the Pins were made.
  virtual Answer<void> watch(std::string_view pin, PinEdges edges) = 0;
  // Simulation: what the outside world puts on an input. Real pins answer NotImplementedError.
  virtual Answer<void> drive(std::string_view pin, bool level) = 0;
};

// Pins without hardware: an output holds what was written, an input what was driven, or its pull. Every name
// of 1 to 32 characters is a pin, kMaxPins at most.
class SimulatedPins final : public Pins {
 public:
  static constexpr std::size_t kMaxPins = 256;
  using Changed = std::function<void(std::string_view pin, bool level)>;

  // `changed`: a watched edge; `written`: an output changed its level. Either may be empty. Both are called
  // on the thread that made the change, without a lock held.
  explicit SimulatedPins(Changed changed, Changed written = {})
      : changed_(std::move(changed)), written_(std::move(written)) {}

  Answer<void> look_up(std::string_view pin) override;
  Answer<void> configure(std::string_view pin, const PinSetup& setup) override;
  Answer<bool> read(std::string_view pin) override;
  Answer<void> write(std::string_view pin, bool level) override;
  Answer<void> watch(std::string_view pin, PinEdges edges) override;
  Answer<void> drive(std::string_view pin, bool level) override;

 private:
  struct State {
    PinMode mode = PinMode::in;
    PinPull pull = PinPull::none;
    bool output = false;
    std::optional<bool> driven;
    PinEdges edges = PinEdges::none;

    [[nodiscard]] bool level() const;
  };
  Answer<State*> find(std::string_view pin);
  // Applies `change` to the pin and reports what came of it.
  template<class Change>
  Answer<void> update(std::string_view pin, const Change& change);

  Changed changed_, written_;
  std::mutex mutex_;  // guards the map
  std::map<std::string, State, std::less<>> pins_;
};

}  // namespace mqboard::board
