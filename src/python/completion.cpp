#include "python/completion.hpp"

namespace mqboard::python {

Completion::State::~State() { answer(runtime_error("abandoned")); }

void Completion::State::answer(HostResult result) {
  if (answered.exchange(true)) return;
  if (const auto alive = mailbox.lock()) alive->post(generation, Answer{token, std::move(result)});
}

void Completion::complete(Value value) const { state_->answer(std::move(value)); }
void Completion::fail(Exception exception) const { state_->answer(std::unexpected(std::move(exception))); }

}  // namespace mqboard::python
