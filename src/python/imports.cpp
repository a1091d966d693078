// The functions the translated MicroPython imports. Each only converts between linear memory and the part of
// the host that does the work.
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <type_traits>

#include "python/border.hpp"
#include "python/errno.hpp"
#include "python/file_bridge.hpp"
#include "python/machine_state.hpp"

using namespace mqboard::python;
using Env = Z_env_instance_t;
using Wasi = Z_wasi_snapshot_preview1_instance_t;

namespace {

constexpr std::uint32_t kStatBytes = 96;
constexpr std::uint32_t kStatFsBytes = 88;
constexpr std::uint32_t kDirectoryEntryBytes = 280;
constexpr std::uint32_t kDirectoryMode = 040755;
constexpr std::uint32_t kFileMode = 0100644;
constexpr std::uint32_t kCharacterDeviceMode = 020620;

u32 result(std::int32_t value) { return static_cast<u32>(value); }

void store_stat(const LinearMemory& memory, Address at, const FileBridge::Stat& stat, std::uint32_t mode) {
  std::ranges::fill(memory.bytes(at, kStatBytes), std::uint8_t{0});
  memory.store(at + 4, mode);
  memory.store(at + 8, std::uint32_t{1});
  memory.store(at + 24, stat.size_bytes);
  memory.store(at + 32, std::uint32_t{4096});
  memory.store(at + 36, static_cast<std::uint32_t>((stat.size_bytes + 511) / 512));
  for (const std::uint32_t time : {40u, 56u, 72u}) memory.store(at + time, stat.modified_s);
  memory.store(at + 88, stat.inode);
}

u32 stat_path(Env* env, u32 path, u32 at) {
  FileBridge::Stat stat;
  const Machine::State& state = *env->state;
  const std::int32_t status = state.files.stat(state.memory.c_string(path), stat);
  if (status == 0) store_stat(state.memory, at, stat, stat.directory ? kDirectoryMode : kFileMode);
  return result(status);
}

void check_alive(Env* env) {
  if (std::atomic_ref<std::uintptr_t>(env->state->instance.native_stack_limit).load() == UINTPTR_MAX) {
    throw Trap{"killed"};
  }
}

// Thrown by longjmp, caught by the invoke_ function that made the call it leaves.
struct LongJump {};

template<class Result, class... Args>
u32 type_of_function() {
  constexpr u32 kParameters = sizeof...(Args);
  if constexpr (std::is_void_v<Result>) {
    return wasm_rt_register_func_type(kParameters, 0, (static_cast<void>(sizeof(Args)), WASM_RT_I32)...);
  } else {
    return wasm_rt_register_func_type(kParameters, 1, (static_cast<void>(sizeof(Args)), WASM_RT_I32)...,
                                      WASM_RT_I32);
  }
}

template<class Result, class... Args>
Result invoke(Env* env, u32 index, Args... args) {
  using Function = Result (*)(void*, Args...);
  Z_micropython_instance_t& instance = env->state->instance;
  const wasm_rt_funcref_table_t& table = instance.w2c___indirect_function_table;
  static const u32 type = type_of_function<Result, Args...>();
  if (index >= table.size || table.data[index].func == nullptr || table.data[index].func_type != type) {
    throw Trap{"call through a wrong function pointer"};
  }
  const u32 stack = instance.w2c_g0;
  try {
    return reinterpret_cast<Function>(table.data[index].func)(table.data[index].module_instance, args...);
  } catch (const LongJump&) {
    Z_micropythonZ__emscripten_stack_restore(&instance, stack);
    Z_micropythonZ_setThrew(&instance, 1, 0);
    return Result();
  }
}

}  // namespace

extern "C" {

// Exceptions of C: setjmp and longjmp.

void Z_envZ__emscripten_throw_longjmp(Env*) { throw LongJump{}; }
void Z_envZ__abort_js(Env*) { throw Trap{"abort"}; }

u32 Z_envZ_invoke_i(Env* env, u32 f) { return invoke<u32>(env, f); }
u32 Z_envZ_invoke_ii(Env* env, u32 f, u32 a) { return invoke<u32>(env, f, a); }
u32 Z_envZ_invoke_iii(Env* env, u32 f, u32 a, u32 b) { return invoke<u32>(env, f, a, b); }
u32 Z_envZ_invoke_iiii(Env* env, u32 f, u32 a, u32 b, u32 c) { return invoke<u32>(env, f, a, b, c); }
u32 Z_envZ_invoke_iiiii(Env* env, u32 f, u32 a, u32 b, u32 c, u32 d) {
  return invoke<u32>(env, f, a, b, c, d);
}
u32 Z_envZ_invoke_iiiiii(Env* env, u32 f, u32 a, u32 b, u32 c, u32 d, u32 e) {
  return invoke<u32>(env, f, a, b, c, d, e);
}
void Z_envZ_invoke_v(Env* env, u32 f) { invoke<void>(env, f); }
void Z_envZ_invoke_vi(Env* env, u32 f, u32 a) { invoke<void>(env, f, a); }
void Z_envZ_invoke_vii(Env* env, u32 f, u32 a, u32 b) { invoke<void>(env, f, a, b); }
void Z_envZ_invoke_viii(Env* env, u32 f, u32 a, u32 b, u32 c) { invoke<void>(env, f, a, b, c); }
void Z_envZ_invoke_viiii(Env* env, u32 f, u32 a, u32 b, u32 c, u32 d) { invoke<void>(env, f, a, b, c, d); }

// Memory, time, randomness.

u32 Z_envZ_emscripten_resize_heap(Env* env, u32 bytes) {
  wasm_rt_memory_t& memory = env->state->instance.w2c_memory;
  if (bytes > env->state->limits.memory_bytes) return 0;
  if (bytes <= memory.size) return 1;
  return wasm_rt_grow_memory(&memory, (bytes - memory.size + 65535) / 65536) != UINT32_MAX;
}

u32 Z_envZ_mp_js_ticks_ms(Env* env) {
  notice_interrupt(*env->state);
  check_alive(env);  // loops that wait for time to pass may call nothing else
  return env->state->platform.ticks_ms();
}
f64 Z_envZ_mp_js_time_ms(Env* env) { return env->state->platform.utc_ms(); }

u32 Z_envZ_mp_js_random_u32(Env*) {
  u32 value = 0;
  while (getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return value;
}

// Files.

u32 Z_envZ___syscall_openat(Env* env, u32, u32 path, u32 flags, u32) {
  return result(env->state->files.open(env->state->memory.c_string(path), flags));
}
u32 Z_envZ___syscall_stat64(Env* env, u32 path, u32 at) { return stat_path(env, path, at); }
u32 Z_envZ___syscall_lstat64(Env* env, u32 path, u32 at) { return stat_path(env, path, at); }
u32 Z_envZ___syscall_newfstatat(Env* env, u32, u32 path, u32 at, u32) { return stat_path(env, path, at); }

u32 Z_envZ___syscall_fstat64(Env* env, u32 descriptor, u32 at) {
  FileBridge::Stat stat;
  const Machine::State& state = *env->state;
  if (descriptor <= 2) {
    store_stat(state.memory, at, stat, kCharacterDeviceMode);
    return 0;
  }
  const std::int32_t status = state.files.stat(static_cast<std::int32_t>(descriptor), stat);
  if (status == 0) store_stat(state.memory, at, stat, stat.directory ? kDirectoryMode : kFileMode);
  return result(status);
}

u32 Z_envZ___syscall_mkdirat(Env* env, u32, u32 path, u32) {
  return result(env->state->files.make_directory(env->state->memory.c_string(path)));
}
u32 Z_envZ___syscall_rmdir(Env* env, u32 path) {
  return result(env->state->files.remove_directory(env->state->memory.c_string(path)));
}
u32 Z_envZ___syscall_unlinkat(Env* env, u32, u32 path, u32 flags) {
  FileBridge& files = env->state->files;
  const auto name = env->state->memory.c_string(path);
  return result(flags != 0 ? files.remove_directory(name) : files.remove_file(name));
}
u32 Z_envZ___syscall_renameat(Env* env, u32, u32 from, u32, u32 to) {
  const LinearMemory& memory = env->state->memory;
  return result(env->state->files.rename(memory.c_string(from), memory.c_string(to)));
}
u32 Z_envZ___syscall_chdir(Env* env, u32 path) {
  return result(env->state->files.change_directory(env->state->memory.c_string(path)));
}

u32 Z_envZ___syscall_getcwd(Env* env, u32 at, u32 size) {
  const std::string& path = env->state->files.current_directory();
  const auto needed = static_cast<u32>(path.size()) + 1;
  if (size < needed) return result(size == 0 ? -EINVAL : -ERANGE);
  std::memcpy(env->state->memory.bytes(at, needed).data(), path.c_str(), needed);
  return needed;
}

u32 Z_envZ___syscall_getdents64(Env* env, u32 descriptor, u32 at, u32 size) {
  const Machine::State& state = *env->state;
  const auto number = static_cast<std::int32_t>(descriptor);
  u32 used = 0;
  for (FileBridge::Entry entry; size - used >= kDirectoryEntryBytes; used += kDirectoryEntryBytes) {
    const std::int32_t more = state.files.next_entry(number, entry, true);
    if (more < 0) return result(more);
    if (more == 0) break;
    const Address record = at + used;
    std::ranges::fill(state.memory.bytes(record, kDirectoryEntryBytes), std::uint8_t{0});
    state.memory.store(record, entry.inode);
    state.memory.store(record + 16, static_cast<std::uint16_t>(kDirectoryEntryBytes));
    state.memory.store(record + 18, static_cast<std::uint8_t>(entry.directory ? 4 : 8));
    const std::size_t length = std::min<std::size_t>(entry.name.size(), 255);
    std::memcpy(state.memory.bytes(record + 19, 256).data(), entry.name.data(), length);
  }
  return used;
}

u32 Z_envZ___syscall_statfs64(Env* env, u32, u32, u32 at) {
  mqboard::FlashSpace space;
  const Machine::State& state = *env->state;
  if (const std::int32_t status = state.files.space(space); status != 0) return result(status);
  constexpr std::uint32_t kBlock = 4096;
  std::ranges::fill(state.memory.bytes(at, kStatFsBytes), std::uint8_t{0});
  state.memory.store(at + 4, kBlock);
  state.memory.store(at + 8, space.total_bytes / kBlock);
  state.memory.store(at + 16, space.free_bytes / kBlock);
  state.memory.store(at + 24, space.free_bytes / kBlock);
  state.memory.store(at + 56, std::uint32_t{255});
  state.memory.store(at + 60, kBlock);
  return 0;
}

u32 Z_envZ___syscall_poll(Env*, u32, u32, u32) { return result(-ENOSYS); }

u32 Z_wasi_snapshot_preview1Z_fd_close(Wasi* wasi, u32 descriptor) {
  return result(-wasi->state->files.close(static_cast<std::int32_t>(descriptor)));
}

u32 Z_wasi_snapshot_preview1Z_fd_read(Wasi* wasi, u32 descriptor, u32 vectors, u32 count, u32 out) {
  const Machine::State& state = *wasi->state;
  u32 total = 0;
  for (u32 i = 0; i < count; ++i) {
    const auto into = state.memory.bytes(state.memory.load<u32>(vectors + 8 * i),
                                         state.memory.load<u32>(vectors + 8 * i + 4));
    const std::int32_t got = state.files.read(static_cast<std::int32_t>(descriptor), into);
    if (got < 0) return result(-got);
    total += static_cast<u32>(got);
    if (static_cast<std::size_t>(got) < into.size()) break;
  }
  state.memory.store(out, total);
  return 0;
}

u32 Z_wasi_snapshot_preview1Z_fd_write(Wasi* wasi, u32 descriptor, u32 vectors, u32 count, u32 out) {
  const Machine::State& state = *wasi->state;
  u32 total = 0;
  for (u32 i = 0; i < count; ++i) {
    const auto data = state.memory.bytes(state.memory.load<u32>(vectors + 8 * i),
                                         state.memory.load<u32>(vectors + 8 * i + 4));
    if (descriptor == 1 || descriptor == 2) {
      state.platform.console(static_cast<int>(descriptor), data);
      total += static_cast<u32>(data.size());
      continue;
    }
    const std::int32_t put = state.files.write(static_cast<std::int32_t>(descriptor), data);
    if (put < 0) return result(-put);
    total += static_cast<u32>(put);
    if (static_cast<std::size_t>(put) < data.size()) break;
  }
  state.memory.store(out, total);
  return 0;
}

u32 Z_wasi_snapshot_preview1Z_fd_seek(Wasi* wasi, u32 descriptor, u64 offset, u32 whence, u32 out) {
  std::uint64_t position = 0;
  const std::int32_t status = wasi->state->files.seek(static_cast<std::int32_t>(descriptor),
                                                      static_cast<std::int64_t>(offset), whence, position);
  if (status == 0) wasi->state->memory.store(out, position);
  return result(-status);
}

u32 Z_wasi_snapshot_preview1Z_fd_sync(Wasi* wasi, u32 descriptor) {
  return result(-wasi->state->files.sync(static_cast<std::int32_t>(descriptor)));
}

// Host objects. Those Python can do with a host object but that ours do not support answer None or "no".

u32 Z_envZ_lookup_attr(Env* env, u32 object, u32 name, u32 out) {
  return env->state->border.on_lookup(object, env->state->memory.c_string(name), out);
}
void Z_envZ_call0(Env* env, u32 object, u32 out) { env->state->border.on_call(object, 0, 0, out); }
u32 Z_envZ_call1(Env* env, u32 object, u32, u32 a, u32 out) {
  env->state->border.on_call(object, {&a, 1}, out);
  return 0;
}
u32 Z_envZ_call2(Env* env, u32 object, u32, u32 a, u32 b, u32 out) {
  const u32 slots[] = {a, b};
  env->state->border.on_call(object, slots, out);
  return 0;
}
u32 Z_envZ_calln(Env* env, u32 object, u32, u32 count, u32 args, u32 out) {
  env->state->border.on_call(object, count, args, out);
  return 0;
}
void Z_envZ_call0_kwarg(Env* env, u32, u32, u32, u32, u32, u32 out) { env->state->border.put_none(out); }
void Z_envZ_calln_kwarg(Env* env, u32, u32, u32, u32, u32, u32, u32, u32 out) {
  env->state->border.put_none(out);
}
void Z_envZ_proxy_js_free_obj(Env* env, u32 object) { env->state->border.on_release(object); }

u32 Z_envZ_has_attr(Env*, u32, u32) { return 0; }
void Z_envZ_store_attr(Env*, u32, u32, u32) {}
u32 Z_envZ_js_check_existing(Env*, u32) { return UINT32_MAX; }
u32 Z_envZ_js_iter_next(Env*, u32, u32) { return 0; }
void Z_envZ_js_subscr_store(Env*, u32, u32, u32) {}
void Z_envZ_js_then_reject(Env*, u32, u32) {}
void Z_envZ_js_then_resolve(Env*, u32, u32) {}
void Z_envZ_js_get_iter(Env* env, u32, u32 out) { env->state->border.put_none(out); }
void Z_envZ_js_subscr_load(Env* env, u32, u32, u32 out) { env->state->border.put_none(out); }
void Z_envZ_js_reflect_construct(Env* env, u32, u32, u32, u32 out) { env->state->border.put_none(out); }
void Z_envZ_js_then_continue(Env* env, u32, u32, u32, u32, u32 out) { env->state->border.put_none(out); }
void Z_envZ_create_promise(Env* env, u32 out, u32) { env->state->border.put_none(out); }
void Z_envZ_proxy_convert_mp_to_js_then_js_to_mp_obj_jsside(Env* env, u32 slot) {
  env->state->border.put_none(slot);
}
void Z_envZ_proxy_convert_mp_to_js_then_js_to_js_then_js_to_mp_obj_jsside(Env* env, u32 slot) {
  env->state->border.put_none(slot);
}

void Z_envZ_js_get_error_info(Env* env, u32, u32 name, u32 message) {
  env->state->border.put_none(name);
  env->state->border.put_none(message);
}

void Z_envZ_js_get_proxy_js_ref_info(Env* env, u32 out) { env->state->memory.store(out, std::uint64_t{0}); }

}  // extern "C"
