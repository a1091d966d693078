// The protocol with _mqb.py.
//
// The module `_mqbhost` is host object 2; its attribute `call` is host object 3, the only callable one:
//   call(0, object, id)          copies the bytes of `object` into the fresh bytes object at address `id`
//   call(1, f, tags, …)          calls f with packed arguments: per character of tags "v" the value itself,
//                                "b" two ints, address and length of bytes, "i" the decimal text of an int
//   call(f, …)                   calls f; answers a host object with t == kAgain when an argument is not one
//                                of None, bool, int, float, str, so that Python packs them
// An answer that is no plain value is a host object too: attribute t says what it stands for (Tag), n, c, s
// are number, code and text.
#include "python/border.hpp"

#include <charconv>
#include <exception>

#include "core/base/utf8.hpp"

namespace mqboard::python {

namespace {

enum Tag : std::int32_t {
  kModule = 1,
  kCall = 2,
  kBytes = 3,
  kInt = 4,
  kRaise = 5,
  kDeferred = 6,
  kAgain = 7
};

// Kinds of slots MicroPython fills, and those it takes.
enum class FromPython : std::int32_t {
  exception = -1,
  null = 0,
  none = 1,
  boolean = 2,
  integer = 3,
  number = 4,
  text = 5,
  callable = 6,
  generator = 7,
  object = 8,
  host_object = 9
};
enum class ToPython : std::int32_t {
  none = 1,
  boolean = 2,
  integer = 3,
  number = 4,
  text = 5,
  known_object = 6,
  new_object = 7
};

constexpr std::uint32_t kFirstObject = 2;  // 0 and 1 are reserved by MicroPython
constexpr std::uint32_t kModuleObject = 2;
constexpr std::uint32_t kCallObject = 3;
constexpr std::uint32_t kSlotBytes = 12;
// Layout of str and bytes objects: {type, hash, length, data}. A hash of 0 means not computed yet.
constexpr Address kObjectHash = 4;
constexpr Address kObjectLength = 8;
constexpr Address kObjectData = 12;

constexpr std::int32_t kKeyboardInterrupt = -1;  // in place of an Exception::Type
constexpr std::uint32_t kFillFunction = 0;
constexpr std::uint32_t kPackedFunction = 1;

bool fits_slot(std::int64_t value) { return value >= INT32_MIN && value <= INT32_MAX; }

// Slots in linear memory for the duration of a scope.
class Slots {
 public:
  Slots(Machine& machine, std::uint32_t count)
      : machine_(machine), address_(machine.allocate(kSlotBytes * count)) {}
  ~Slots() {
    if (std::uncaught_exceptions() == unwinding_) machine_.release(address_);
  }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  Address operator*() const { return address_; }

 private:
  Machine& machine_;
  Address address_;
  int unwinding_ = std::uncaught_exceptions();
};

PythonError host_error(std::string message) { return {"HostError", std::move(message) + "\n"}; }

}  // namespace

// After a trap nothing of the instance may be called: its memory goes with it.
Border::Text::Text(Machine& machine, std::string_view text)
    : machine_(machine),
      address_(machine.allocate(static_cast<std::uint32_t>(text.size()) + 1)),
      size_(static_cast<std::uint32_t>(text.size())),
      unwinding_(std::uncaught_exceptions()) {
  const MutableBytes copy = machine.memory().bytes(address_, size_ + 1);
  if (size_ != 0) std::memcpy(copy.data(), text.data(), size_);
  copy.back() = 0;
}

Border::Text::~Text() {
  if (std::uncaught_exceptions() == unwinding_) machine_.release(address_);
}

void Border::Text::lend(Address object) const {
  const LinearMemory& memory = machine_.memory();
  memory.store(object + kObjectHash, std::uint32_t{0});
  memory.store(object + kObjectLength, size_);
  memory.store(object + kObjectData, address_);
}

Border::Border(HostFunctions& functions) : functions_(functions), objects_(4) {
  objects_[kModuleObject].tag = kModule;
  objects_[kCallObject].tag = kCall;
}

void Border::attach(Machine& machine) {
  machine_ = &machine;
  const Text name(machine, "_mqbhost");
  const Slots slot(machine, 1);
  machine.memory().store(*slot, static_cast<std::int32_t>(ToPython::new_object));
  machine.memory().store(*slot + 4, kModuleObject);
  machine.register_module(*name, *slot);
}

std::expected<Callable, PythonError> Border::find(std::string_view module, std::string_view name) {
  const LinearMemory& memory = machine_->memory();
  const Slots slot(*machine_, 1);
  const Text module_text(*machine_, module);
  machine_->import_module(*module_text, *slot);
  if (memory.load<FromPython>(*slot) != FromPython::object) {
    auto value = take(*slot);
    return std::unexpected(value ? host_error("not a module") : std::move(value.error()));
  }
  const Text name_text(*machine_, name);
  machine_->lookup_attribute(memory.load<std::uint32_t>(*slot + 4), *name_text, *slot);
  if (memory.load<FromPython>(*slot) != FromPython::callable) {
    auto value = take(*slot);
    return std::unexpected(value ? host_error("not callable") : std::move(value.error()));
  }
  return Callable{memory.load<std::uint32_t>(*slot + 4)};
}

std::expected<void, PythonError> Border::execute(std::string_view source) {
  const Slots slot(*machine_, 1);
  const Text text(*machine_, source);
  machine_->execute(*text, static_cast<std::uint32_t>(source.size()), *slot);
  auto value = take(*slot);
  if (!value) return std::unexpected(std::move(value.error()));
  return {};
}

std::expected<Value, PythonError> Border::call(Callable callable) {
  const Slots out(*machine_, 1);
  machine_->call_object(static_cast<std::uint32_t>(callable), 0, 0, *out);
  return take(*out);
}

std::uint32_t Border::on_lookup(std::uint32_t object, std::string_view name, Address out) {
  if (object >= objects_.size()) return 0;
  const HostObject& found = objects_[object];
  if (found.tag == kModule && name == "call") {
    machine_->memory().store(out, static_cast<std::int32_t>(ToPython::new_object));
    machine_->memory().store(out + 4, kCallObject);
    return 1;
  }
  if (found.tag < kBytes || name.size() != 1) return 0;
  switch (name[0]) {
    case 't':
      return put(std::int64_t{found.tag}, out), 1;
    case 'n':
      return put(std::int64_t{found.number}, out), 1;
    case 'c':
      return put(std::int64_t{found.code}, out), 1;
    case 's':
      return put(found.text, out), 1;
    default:
      return 0;
  }
}

void Border::on_call(std::uint32_t object, std::uint32_t count, Address first, Address out) {
  std::vector<Address> slots(count);
  for (std::uint32_t i = 0; i < count; ++i) slots[i] = first + kSlotBytes * i;
  on_call(object, slots, out);
}

void Border::on_call(std::uint32_t object, std::span<const Address> slots, Address out) {
  put_none(out);
  if (object != kCallObject || slots.empty()) return;
  std::vector<Argument> args;
  args.reserve(slots.size());
  bool understood = true;
  for (const Address slot : slots) args.push_back(borrow(slot, understood));
  const auto* function = std::get_if<std::int64_t>(&args[0]);
  if (function == nullptr) return;
  std::span<const Argument> rest = std::span(args).subspan(1);
  if (*function == kFillFunction) return fill(rest);
  if (!understood) return put_object({.tag = kAgain}, out);

  std::vector<Argument> unpacked;
  auto index = static_cast<std::uint32_t>(*function);
  if (*function == kPackedFunction) {
    if (rest.empty() || !std::holds_alternative<std::int64_t>(rest[0])) return;
    index = static_cast<std::uint32_t>(std::get<std::int64_t>(rest[0]));
    if (!unpack(rest.subspan(1), unpacked)) return put_result(type_error("bad call"), {}, out);
    rest = unpacked;
  }
  std::optional<std::uint32_t> deferred;
  try {
    HostResult result = functions_.call(index, rest, deferred);
    put_result(std::move(result), deferred, out);
  } catch (const Interrupted&) {
    put_object({.tag = kRaise, .number = kKeyboardInterrupt}, out);
  }
}

void Border::on_release(std::uint32_t object) {
  if (object > kCallObject && object < objects_.size()) objects_[object] = {};
}

std::expected<Value, PythonError> Border::take(Address slot) {
  const LinearMemory& memory = machine_->memory();
  const auto word = memory.load<std::uint32_t>(slot + 4);
  switch (memory.load<FromPython>(slot)) {
    case FromPython::exception: {
      const Address text_address = memory.load<Address>(slot + 8);
      const std::string text(memory.text(text_address, word));
      machine_->release(text_address);
      const std::size_t end = text.find('\x04');
      if (end == std::string::npos) return std::unexpected(PythonError{"Exception", text});
      return std::unexpected(PythonError{text.substr(0, end), text.substr(end + 1)});
    }
    case FromPython::callable:
    case FromPython::generator:
    case FromPython::object:
      machine_->free_object(word);
      return None{};
    default:
      break;
  }
  bool understood = true;
  return to_owned(borrow(slot, understood));
}

Argument Border::borrow(Address slot, bool& understood) {
  const LinearMemory& memory = machine_->memory();
  const auto word = memory.load<std::uint32_t>(slot + 4);
  switch (memory.load<FromPython>(slot)) {
    case FromPython::boolean:
      return word != 0;
    case FromPython::integer:
      return std::int64_t{static_cast<std::int32_t>(word)};
    case FromPython::number:
      return memory.load<double>(slot + 4);
    case FromPython::text:
      return memory.text(memory.load<Address>(slot + 8), word);
    case FromPython::host_object:
      understood = false;
      return std::int64_t{word};
    case FromPython::callable:
    case FromPython::generator:
    case FromPython::object:
      understood = false;
      machine_->free_object(word);
      return None{};
    default:
      return None{};
  }
}

void Border::put_none(Address slot) {
  machine_->memory().store(slot, static_cast<std::int32_t>(ToPython::none));
}

void Border::put_object(HostObject object, Address slot) {
  std::uint32_t number = kCallObject + 1;
  while (number < objects_.size() && objects_[number].tag != 0) ++number;
  if (number == objects_.size()) objects_.emplace_back();
  objects_[number] = std::move(object);
  machine_->memory().store(slot, static_cast<std::int32_t>(ToPython::new_object));
  machine_->memory().store(slot + 4, number);
}

void Border::put(const Value& value, Address slot) {
  const LinearMemory& memory = machine_->memory();
  const auto kind = [&](ToPython word) { memory.store(slot, static_cast<std::int32_t>(word)); };
  if (std::holds_alternative<None>(value)) return kind(ToPython::none);
  if (const auto* boolean = std::get_if<bool>(&value)) {
    memory.store(slot + 4, std::uint32_t{*boolean});
    return kind(ToPython::boolean);
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    if (!fits_slot(*integer)) return put_object({.tag = kInt, .text = std::to_string(*integer)}, slot);
    memory.store(slot + 4, static_cast<std::int32_t>(*integer));
    return kind(ToPython::integer);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    memory.store(slot + 4, *number);
    return kind(ToPython::number);
  }
  if (const auto* bytes = std::get_if<ByteString>(&value)) {
    return put_object({.tag = kBytes, .number = static_cast<std::int32_t>(bytes->size()), .bytes = *bytes},
                      slot);
  }
  const std::string& text = std::get<std::string>(value);
  const auto size = static_cast<std::uint32_t>(text.size());
  const Address copy = machine_->allocate(size + 1);  // MicroPython frees it
  if (size != 0) std::memcpy(memory.bytes(copy, size).data(), text.data(), size);
  memory.store(copy + size, std::uint8_t{0});
  memory.store(slot + 4, size);
  memory.store(slot + 8, copy);
  kind(ToPython::text);
}

void Border::put_result(HostResult result, std::optional<std::uint32_t> deferred, Address slot) {
  if (result && deferred) {
    return put_object({.tag = kDeferred, .number = static_cast<std::int32_t>(*deferred)}, slot);
  }
  if (!result) {
    Exception& raised = result.error();
    return put_object({.tag = kRaise,
                       .number = static_cast<std::int32_t>(raised.type),
                       .code = raised.code,
                       .text = std::move(raised.message)},
                      slot);
  }
  if (const auto* text = std::get_if<std::string>(&*result); text != nullptr && !is_utf8(as_bytes(*text))) {
    return put_result(value_error("host returned text that is not UTF-8"), {}, slot);
  }
  if (auto* bytes = std::get_if<ByteString>(&*result)) {
    const auto size = static_cast<std::int32_t>(bytes->size());
    return put_object({.tag = kBytes, .number = size, .bytes = std::move(*bytes)}, slot);
  }
  put(*result, slot);
}

// args: host object, address of a bytes object that Python just made of zeros.
void Border::fill(std::span<const Argument> args) {
  if (args.size() != 2) return;
  const auto* object = std::get_if<std::int64_t>(&args[0]);
  const auto* address = std::get_if<std::int64_t>(&args[1]);
  if (object == nullptr || address == nullptr || *object < kFirstObject ||
      *object >= static_cast<std::int64_t>(objects_.size())) {
    return;
  }
  const ByteString& bytes = objects_[static_cast<std::size_t>(*object)].bytes;
  const LinearMemory& memory = machine_->memory();
  const auto target = static_cast<Address>(*address);
  const auto size = static_cast<std::uint32_t>(bytes.size());
  if (size == 0 || memory.load<std::uint32_t>(target + kObjectLength) != size) return;
  std::memcpy(memory.bytes(memory.load<Address>(target + kObjectData), size).data(), bytes.data(), size);
  memory.store(target + kObjectHash, std::uint32_t{0});
}

bool Border::unpack(std::span<const Argument> flat, std::vector<Argument>& args) {
  if (flat.empty() || !std::holds_alternative<std::string_view>(flat[0])) return false;
  const std::string_view tags = std::get<std::string_view>(flat[0]);
  flat = flat.subspan(1);
  for (const char tag : tags) {
    const std::size_t width = tag == 'b' ? 2 : 1;
    if (flat.size() < width) return false;
    if (tag == 'v') {
      args.push_back(flat[0]);
    } else if (tag == 'b') {
      const auto* address = std::get_if<std::int64_t>(&flat[0]);
      const auto* size = std::get_if<std::int64_t>(&flat[1]);
      if (address == nullptr || size == nullptr) return false;
      args.emplace_back(
          Bytes(machine_->memory().bytes(static_cast<Address>(*address), static_cast<std::uint32_t>(*size))));
    } else {
      const auto* digits = std::get_if<std::string_view>(&flat[0]);
      std::int64_t value = 0;
      if (digits == nullptr) return false;
      const auto parsed = std::from_chars(digits->data(), digits->data() + digits->size(), value);
      if (parsed.ec != std::errc{}) return false;
      args.emplace_back(value);
    }
    flat = flat.subspan(width);
  }
  return flat.empty();
}

}  // namespace mqboard::python
