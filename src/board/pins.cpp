#include "board/pins.hpp"

namespace mqboard::board {

namespace {

constexpr std::size_t kMaxName = 32;

bool watches(PinEdges edges, bool rising) {
  return (static_cast<unsigned>(edges) &
          static_cast<unsigned>(rising ? PinEdges::rising : PinEdges::falling)) != 0;
}

}  // namespace

bool SimulatedPins::State::level() const {
  if (mode == PinMode::out) return output;
  // An open drain pulls down or lets go.
  if (mode == PinMode::open_drain && !output) return false;
  return driven.value_or(pull == PinPull::up);
}

SimulatedPins::Answer<SimulatedPins::State*> SimulatedPins::find(std::string_view pin) {
  const auto found = pins_.find(pin);
  if (found != pins_.end()) return &found->second;
  if (pin.empty() || pin.size() > kMaxName || pins_.size() >= kMaxPins) {
    return python::value_error("no such pin: " + std::string(pin.substr(0, kMaxName)));
  }
  return &pins_.emplace(pin, State{}).first->second;
}

template<class Change>
SimulatedPins::Answer<void> SimulatedPins::update(std::string_view pin, const Change& change) {
  bool written = false, watched = false, level = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = find(pin);
    if (!found) return std::unexpected(found.error());
    State& state = **found;
    const bool before = state.level();
    change(state);
    level = state.level();
    written = level != before && state.mode != PinMode::in;
    watched = level != before && watches(state.edges, level);
  }
  if (written && written_) written_(pin, level);
  if (watched && changed_) changed_(pin, level);
  return {};
}

SimulatedPins::Answer<void> SimulatedPins::look_up(std::string_view pin) {
  const std::lock_guard lock(mutex_);
  const auto found = find(pin);
  if (!found) return std::unexpected(found.error());
  return {};
}

SimulatedPins::Answer<void> SimulatedPins::configure(std::string_view pin, const PinSetup& setup) {
  return update(pin, [&](State& state) {
    state.mode = setup.mode.value_or(state.mode);
    state.pull = setup.pull.value_or(state.pull);
    state.output = setup.level.value_or(state.output);
  });
}

SimulatedPins::Answer<bool> SimulatedPins::read(std::string_view pin) {
  const std::lock_guard lock(mutex_);
  const auto found = find(pin);
  if (!found) return std::unexpected(found.error());
  return (*found)->level();
}

SimulatedPins::Answer<void> SimulatedPins::write(std::string_view pin, bool level) {
  return update(pin, [&](State& state) { state.output = level; });
}

SimulatedPins::Answer<void> SimulatedPins::watch(std::string_view pin, PinEdges edges) {
  return update(pin, [&](State& state) { state.edges = edges; });
}

SimulatedPins::Answer<void> SimulatedPins::drive(std::string_view pin, bool level) {
  return update(pin, [&](State& state) { state.driven = level; });
}

}  // namespace mqboard::board
