// A garbage collection wherever MicroPython wants one, at any depth of calls.
//
// MicroPython finds the objects its own tables and its Python frames refer to. Those that only a C function
// in progress refers to live in two more places, both scanned conservatively here: the shadow stack in linear
// memory (C variables whose address is taken) and, because the module is native code now, the native stack
// and registers of this thread, where every variable of the module is a 32-bit value. A word that points to
// an object of the heap, at its start or a little inside, keeps it alive.
#include <bit>

#include "python/machine_state.hpp"

namespace mqboard::python {

namespace {

constexpr Address kFirstArea = 185492;  // address in the pinned binary
constexpr std::uint32_t kBlockBytes = 16;
// How far into an object a pointer may be and keep it alive: far enough for a field of a struct, not so far
// that any number found on the stack keeps a large buffer.
constexpr unsigned kInteriorBlocks = 16;

enum class BlockState : std::uint8_t { free = 0, head = 1, tail = 2, marked = 3 };

// A contiguous part of the Python heap: two bits of state per block, then the blocks.
struct Area {
  Address self;
  Address next;
  Address table;
  Address pool_start;
  Address pool_end;
};

template<class Visit>
void each_area(const LinearMemory& memory, Visit visit) {
  for (Address at = kFirstArea; at != 0;) {
    const Area area{at, memory.load<Address>(at), memory.load<Address>(at + 4), memory.load<Address>(at + 16),
                    memory.load<Address>(at + 20)};
    visit(area);
    at = area.next;
  }
}

class Marker {
 public:
  explicit Marker(Machine::State& state) : state_(state), memory_(state.memory) {
    each_area(memory_, [this](const Area& area) {
      if (count_ < std::size(areas_)) areas_[count_++] = area;
    });
  }

  void word(std::uint32_t value) {
    for (std::size_t i = 0; i < count_; ++i) {
      const Area& area = areas_[i];
      if (value >= area.pool_start && value < area.pool_end) return block(area, value);
    }
  }

  // Not for the sanitizers: it reads the frames of others, between their variables.
  __attribute__((no_sanitize("address", "thread", "undefined"), noinline)) void native_frames_below(
      const std::uint8_t* base) {
    const auto* at = static_cast<const volatile std::uint32_t*>(__builtin_frame_address(0));
    for (; reinterpret_cast<const volatile std::uint8_t*>(at) < base; ++at) word(*at);
  }

  void shadow_range(Address from, Address to) {
    for (Address at = from & ~3u; at + 4 <= to; at += 4) word(memory_.load<std::uint32_t>(at));
  }

 private:
  [[nodiscard]] BlockState state_of(const Area& area, std::uint32_t block) const {
    const unsigned four_states = memory_.load<std::uint8_t>(area.table + block / 4);
    return static_cast<BlockState>((four_states >> (2 * (block & 3))) & 3);
  }

  void block(const Area& area, Address address) {
    std::uint32_t index = (address - area.pool_start) / kBlockBytes;
    for (unsigned i = 0; i < kInteriorBlocks && index > 0 && state_of(area, index) == BlockState::tail; ++i)
      --index;
    if (state_of(area, index) != BlockState::head) return;
    const Address entry = area.table + index / 4;
    const auto mark =
        static_cast<std::uint8_t>(static_cast<unsigned>(BlockState::marked) << (2 * (index & 3)));
    memory_.store<std::uint8_t>(entry, memory_.load<std::uint8_t>(entry) | mark);
    mqb_gc_mark_subtree(&state_.instance, area.self, index);
  }

  Machine::State& state_;
  const LinearMemory& memory_;
  Area areas_[8] = {};
  std::size_t count_ = 0;
};

// The callers' frames hold everything callers need once the callee-saved registers are spilled to this one.
__attribute__((noinline, no_sanitize("address", "thread", "undefined"))) void mark_native(
    Marker& marker, const std::uint8_t* base) {
  __builtin_unwind_init();
  marker.native_frames_below(base);
  asm volatile("" ::: "memory");  // no tail call: this frame stays
}

}  // namespace

HeapUse Machine::heap_use() const {
  HeapUse use;
  const LinearMemory& memory = state_->memory;
  each_area(memory, [&](const Area& area) {
    const std::uint32_t blocks = (area.pool_end - area.pool_start) / kBlockBytes;
    for (const std::uint8_t four_states : memory.bytes(area.table, blocks / 4)) {
      const int used = std::popcount(static_cast<unsigned>((four_states | (four_states >> 1)) & 0x55));
      use.used_bytes += static_cast<std::size_t>(used) * kBlockBytes;
      use.free_bytes += static_cast<std::size_t>(4 - used) * kBlockBytes;
    }
  });
  return use;
}

}  // namespace mqboard::python

extern "C" void mqb_gc_collect(Z_env_instance_t* env) {
  using namespace mqboard::python;
  Machine::State& state = *env->state;
  ++state.collections;
  mqb_gc_collect_start(&state.instance);
  Marker marker(state);
  mark_native(marker, state.stack_base);
  marker.shadow_range(state.instance.w2c_g0, Z_micropythonZ_emscripten_stack_get_base(&state.instance));
  mqb_gc_collect_end(&state.instance);
  notice_interrupt(state);
}
