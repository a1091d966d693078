// The functions of a host module that work on something they share.
#pragma once

#include <memory>
#include <type_traits>

#include "python/host_module.hpp"

namespace mqboard::board {

template<class Body, class State>
python::HostResult answer_of(const Body& body, State& state, python::Call& call) {
  if constexpr (std::is_void_v<std::invoke_result_t<const Body&, State&, python::Call&>>) {
    body(state, call);
    return python::None{};
  } else {
    return body(state, call);
  }
}

// An `add(name, body)` for the module: `body(State&, python::Call&)` answers as a HostFunction does; one that
// answers nothing answers None. The functions keep the state. Use it while the module is in its place.
template<class State>
[[nodiscard]] auto adder_of_functions(python::HostModule& module, std::shared_ptr<State> state) {
  return [&module, state = std::move(state)](const char* name, auto body) {
    module.functions.push_back(
        {name, [state, body](python::Call& call) { return answer_of(body, *state, call); }});
  };
}

}  // namespace mqboard::board
