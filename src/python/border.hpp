// Values crossing between C++ and one interpreter instance.
//
// MicroPython hands a value out, and takes one, as a slot: three 32-bit words in linear memory, a kind and
// its payload. Kinds differ per direction and cover None, bool, 32-bit int, float and str; the rest goes
// through host objects: small C++ records that Python holds by number and src/python/rom/_mqb.py turns into
// what they stand for. That file and this one are two halves of one protocol, described in border.cpp.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "python/machine.hpp"
#include "python/value.hpp"

namespace mqboard::python {

// Thrown by a host function to raise KeyboardInterrupt.
struct Interrupted {};

// What Python code sees as callable number `function`.
class HostFunctions {
 public:
  // A call that will be answered later sets `deferred` to the token of the answer. May throw Interrupted.
  virtual HostResult call(std::uint32_t function, std::span<const Argument> args,
                          std::optional<std::uint32_t>& deferred) = 0;

 protected:
  ~HostFunctions() = default;
};

// An exception that left Python: the name of its type and its traceback as MicroPython prints it.
struct PythonError {
  std::string type;
  std::string traceback;
};

// A Python callable held by the host until the instance ends.
enum class Callable : std::uint32_t {};

class Border {
 public:
  class Text;

  explicit Border(HostFunctions& functions);

  // For the instance this border serves; called once, before anything below.
  void attach(Machine& machine);

  // `module.name` as a callable. Nothing when there is none or importing fails; then `error` says why.
  std::expected<Callable, PythonError> find(std::string_view module, std::string_view name);

  // Runs statements in __main__.
  std::expected<void, PythonError> execute(std::string_view source);

  // Calls it. Arguments it fetches itself, as a call that fails while making them could not be reported when
  // the heap is full. Only None, bool, int, float and str come back; anything else as None.
  std::expected<Value, PythonError> call(Callable callable);

  // The imports of the binary, one to one.
  std::uint32_t on_lookup(std::uint32_t object, std::string_view name, Address out_slot);
  void on_call(std::uint32_t object, std::span<const Address> slots, Address out_slot);
  void on_call(std::uint32_t object, std::uint32_t count, Address first_slot, Address out_slot);
  void on_release(std::uint32_t object);
  void put_none(Address slot);

 private:
  struct HostObject {
    std::int32_t tag = 0;  // 0: free
    std::int32_t number = 0;
    std::int32_t code = 0;
    std::string text = {};
    ByteString bytes = {};
  };

  std::expected<Value, PythonError> take(Address slot);
  Argument borrow(Address slot, bool& understood);
  void put(const Value& value, Address slot);
  void put_object(HostObject object, Address slot);
  void put_result(HostResult result, std::optional<std::uint32_t> deferred, Address slot);
  void fill(std::span<const Argument> args);
  bool unpack(std::span<const Argument> flat, std::vector<Argument>& args);

  HostFunctions& functions_;
  Machine* machine_ = nullptr;
  std::vector<HostObject> objects_;
};

// Text in linear memory for the duration of a scope, zero-terminated.
class Border::Text {
 public:
  // Throws std::bad_alloc when there is no room.
  Text(Machine& machine, std::string_view text);
  ~Text();
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  Address operator*() const { return address_; }

  // Makes a str object of Python's, fresh and kept by nobody, consist of this text without copying it. It
  // must not be used after this scope.
  void lend(Address str_object) const;

 private:
  Machine& machine_;
  Address address_;
  std::uint32_t size_;
  int unwinding_;
};

}  // namespace mqboard::python
