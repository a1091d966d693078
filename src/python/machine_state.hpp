// What the files implementing a Machine share: the generated instance and what its imports reach. Not for
// others.
#pragma once

#include <micropython.h>

#include "python/machine.hpp"

// The types the generated C passes to its imports. It sees them as opaque.
struct Z_env_instance_t {
  mqboard::python::Machine::State* state;
};
struct Z_wasi_snapshot_preview1_instance_t {
  mqboard::python::Machine::State* state;
};

namespace mqboard::python {

struct Machine::State {
  State(const MachineLimits& limits_, Platform& platform_, FileBridge& files_, Border& border_)
      : limits(limits_), platform(platform_), files(files_), border(border_) {}
  ~State() { Z_micropython_free(&instance); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Z_micropython_instance_t instance{};
  Z_env_instance_t env{this};
  Z_wasi_snapshot_preview1_instance_t wasi{this};
  LinearMemory memory{&instance.w2c_memory.data, &instance.w2c_memory.size};
  MachineLimits limits;
  Platform& platform;
  FileBridge& files;
  Border& border;
  // Frames of the thread below this one may hold interpreter values: the outermost entry point's. Null
  // outside.
  const std::uint8_t* stack_base = nullptr;
  std::uint64_t collections = 0;
};

// An interrupt that came while MicroPython was just unlocking its scheduler is pending without being looked
// for. Called now and then on the machine's thread, this makes it looked for.
void notice_interrupt(Machine::State& state);

// Marks an entry into translated code; `frame` is the frame address of the function that enters.
class Entry {
 public:
  Entry(Machine::State& state, void* frame) : state_(state), outer_(state.stack_base) {
    if (outer_ == nullptr) state_.stack_base = static_cast<const std::uint8_t*>(frame);
  }
  ~Entry() { state_.stack_base = outer_; }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  Machine::State& state_;
  const std::uint8_t* outer_;
};

}  // namespace mqboard::python
