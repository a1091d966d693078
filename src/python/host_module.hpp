// Modules written in C++ and imported from Python.
//
// A HostModule "x" with function "f" makes `import x; x.f(1, b'ab')` work: a real module (import *, dir, help
// work), found before a file of that name on flash. Keep the functions primitive and let a module in ROM wrap
// them in what the programmer sees; by convention such a host module's name starts with an underscore.
//
// Threads: a HostFunction runs on the Python thread. While it runs Python stands still, so it returns
// promptly; whatever takes time is deferred to a Completion. It must not call back into its Runtime except to
// post.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "python/value.hpp"

namespace mqboard::python {

// The other end of an awaitable handed to Python. Copies share one state; complete() and fail() may be called
// from any thread, the first call wins and every other is ignored. When the interpreter is gone or Python
// dropped the awaitable, completing does nothing. A Completion abandoned (all copies destroyed) unanswered
// fails with RuntimeError("abandoned").
class Completion {
 public:
  struct State;
  explicit Completion(std::shared_ptr<State> state) : state_(std::move(state)) {}

  void complete(Value value = None{}) const;
  void fail(Exception exception) const;

 private:
  std::shared_ptr<State> state_;
};

// One call of a host function.
class Call {
 public:
  virtual std::span<const Argument> args() const = 0;

  // Makes this call answer later: Python receives an awaitable (also usable synchronously: `.wait()`),
  // whatever value the function returns is ignored. At most once per call.
  virtual Completion defer() = 0;

  // Checked access for the body of a host function: the argument, or what the absent one defaults to. A wrong
  // type is reported by throwing Exception, which the caller of the function turns into a Python exception;
  // host functions may throw Exception themselves too, nothing else.
  bool boolean(std::size_t index) const;
  std::int64_t integer(std::size_t index) const;
  double number(std::size_t index) const;  // int or float
  std::string_view text(std::size_t index) const;
  Bytes bytes(std::size_t index) const;  // bytes, or the UTF-8 of a str
  bool given(std::size_t index) const;   // present and not None

 protected:
  ~Call() = default;
};

using HostFunction = std::function<HostResult(Call&)>;

struct HostModule {
  struct Function {
    std::string name;  // a Python identifier
    HostFunction call;
  };
  struct Constant {
    std::string name;
    Value value;
  };

  std::string name;  // a Python identifier
  std::vector<Function> functions;
  std::vector<Constant> constants;
};

}  // namespace mqboard::python
