// One instance of the translated MicroPython: its memory, its entry points, its end.
//
// A Machine belongs to one thread, the one that constructs it, and is entered from there only; interrupt()
// and kill() are for other threads. An entry point may be called again from within an import (nested): the
// stack of the thread is one. Every entry point may throw Trap; after that nothing but the destructor may be
// called.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/bytes.hpp"
#include "python/linear_memory.hpp"

struct Z_micropython_instance_t;

namespace mqboard::python {

class FileBridge;
class Border;

// What MicroPython wants of the machine it runs on, files and host objects apart.
class Platform {
 public:
  virtual void console(int descriptor, Bytes output) = 0;  // 1: stdout, 2: stderr
  virtual std::uint32_t ticks_ms() = 0;
  virtual double utc_ms() = 0;

 protected:
  ~Platform() = default;
};

struct MachineLimits {
  std::uint32_t heap_bytes;
  std::uint32_t pystack_words;
  std::uint32_t memory_bytes;
};

struct HeapUse {
  std::size_t used_bytes = 0;
  std::size_t free_bytes = 0;
};

// A good size for the stack of a thread that runs a Machine. Translated code that needs more traps.
inline constexpr std::size_t kNativeStackBytes = 2 * 1024 * 1024;
// … and for what ends it: no frame of the host's functions jumps over that, so an overflow is always a fault.
inline constexpr std::size_t kNativeGuardBytes = 1024 * 1024;

class Machine {
 public:
  // Instantiates, ready for Python. The references outlive the Machine.
  Machine(const MachineLimits& limits, Platform& platform, FileBridge& files, Border& border);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  [[nodiscard]] const LinearMemory& memory() const;

  // Memory outside the Python heap, which the collector does not scan. Throws std::bad_alloc when there is
  // none.
  Address allocate(std::uint32_t bytes);
  void release(Address address);

  // Entry points of the binary; slots as border.hpp describes them.
  void import_module(Address name, Address out_slot);
  void register_module(Address name, Address slot);
  void lookup_attribute(std::uint32_t object, Address name, Address out_slot);
  void call_object(std::uint32_t object, std::uint32_t count, Address slots, Address out_slot);
  void execute(Address source, std::uint32_t bytes, Address out_slot);
  void free_object(std::uint32_t object);

  // From any thread: makes the running Python code raise KeyboardInterrupt at its next jump.
  void interrupt();
  // Takes an interrupt back that was not raised yet. True if there was one. On the machine's thread.
  bool take_interrupt();
  // From any thread: traps the code that runs now or is entered next.
  void kill();

  [[nodiscard]] HeapUse heap_use() const;  // walks the heap's table; on the machine's thread
  [[nodiscard]] std::uint64_t collections() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mqboard::python
