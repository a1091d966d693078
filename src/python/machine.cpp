#include "python/machine.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <new>

#include "python/border.hpp"
#include "python/machine_state.hpp"

namespace mqboard::python {

namespace {

// Addresses of the pinned binary (src/python/translate checks its hash), all within MicroPython's state.
constexpr Address kPendingException = 185148;
constexpr Address kKeyboardInterrupt = 185176;  // the exception object
constexpr Address kKeyboardInterruptTraceback = 185184;
constexpr Address kSchedulerState = 185360;
constexpr std::uint16_t kSchedulerPending = 0;
constexpr std::uint16_t kSchedulerIdle = 1;

// What the host's own functions, called from translated code, may need below the limit.
// Above that, as much again for code that got past MicroPython's own check of the stack.
constexpr std::size_t kStackReserve = 256 * 1024;

template<class Word>
std::atomic_ref<Word> shared_word(const LinearMemory& memory, Address address) {
  return std::atomic_ref<Word>(*reinterpret_cast<Word*>(memory.bytes(address, sizeof(Word)).data()));
}

std::uintptr_t end_of_native_stack() {
  pthread_attr_t attributes;
  void* lowest = nullptr;
  std::size_t bytes = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) throw std::bad_alloc();
  pthread_attr_getstack(&attributes, &lowest, &bytes);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<std::uintptr_t>(lowest);
}

void initialize_process_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    wasm_rt_init();
    Z_micropython_init_module();
  });
}

}  // namespace

Machine::Machine(const MachineLimits& limits, Platform& platform, FileBridge& files, Border& border)
    : state_(std::make_unique<State>(limits, platform, files, border)) {
  initialize_process_once();
  State& state = *state_;
  const Entry entry(state, __builtin_frame_address(0));
  state.instance.native_stack_limit = end_of_native_stack() + kStackReserve;
  state.instance.native_stack_low = state.instance.native_stack_limit + kStackReserve;
  Z_micropython_instantiate(&state.instance, &state.env, &state.wasi);
  Z_micropythonZ_emscripten_stack_init(&state.instance);
  Z_micropythonZ___wasm_call_ctors(&state.instance);
  Z_micropythonZ_mp_js_init(&state.instance, limits.pystack_words, limits.heap_bytes);
  Z_micropythonZ_proxy_c_init(&state.instance);
}

Machine::~Machine() = default;

const LinearMemory& Machine::memory() const { return state_->memory; }

Address Machine::allocate(std::uint32_t bytes) {
  const Entry entry(*state_, __builtin_frame_address(0));
  const Address address = Z_micropythonZ_malloc(&state_->instance, bytes);
  if (address == 0) throw std::bad_alloc();
  return address;
}

void Machine::release(Address address) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_free(&state_->instance, address);
}

void Machine::import_module(Address name, Address out_slot) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_mp_js_do_import(&state_->instance, name, out_slot);
}

void Machine::register_module(Address name, Address slot) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_mp_js_register_js_module(&state_->instance, name, slot);
}

void Machine::lookup_attribute(std::uint32_t object, Address name, Address out_slot) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_proxy_c_to_js_lookup_attr(&state_->instance, object, name, out_slot);
}

void Machine::call_object(std::uint32_t object, std::uint32_t count, Address slots, Address out_slot) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_proxy_c_to_js_call(&state_->instance, object, count, slots, out_slot);
}

void Machine::execute(Address source, std::uint32_t bytes, Address out_slot) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_mp_js_do_exec(&state_->instance, source, bytes, out_slot);
}

void Machine::free_object(std::uint32_t object) {
  const Entry entry(*state_, __builtin_frame_address(0));
  Z_micropythonZ_proxy_c_free_obj(&state_->instance, object);
}

// What mp_sched_keyboard_interrupt does, but as stores another thread may do: the function itself would check
// that thread's stack against this machine's limit.
void Machine::interrupt() {
  const LinearMemory& memory = state_->memory;
  shared_word<std::uint32_t>(memory, kKeyboardInterruptTraceback).store(0, std::memory_order_relaxed);
  shared_word<std::uint32_t>(memory, kPendingException).store(kKeyboardInterrupt, std::memory_order_release);
  std::uint16_t idle = kSchedulerIdle;
  shared_word<std::uint16_t>(memory, kSchedulerState).compare_exchange_strong(idle, kSchedulerPending);
}

void notice_interrupt(Machine::State& state) {
  if (shared_word<std::uint32_t>(state.memory, kPendingException).load() == 0) return;
  std::uint16_t idle = kSchedulerIdle;
  shared_word<std::uint16_t>(state.memory, kSchedulerState).compare_exchange_strong(idle, kSchedulerPending);
}

bool Machine::take_interrupt() {
  return shared_word<std::uint32_t>(state_->memory, kPendingException).exchange(0) != 0;
}

void Machine::kill() {
  std::atomic_ref<std::uintptr_t>(state_->instance.native_stack_limit).store(UINTPTR_MAX);
}

std::uint64_t Machine::collections() const { return state_->collections; }

}  // namespace mqboard::python
