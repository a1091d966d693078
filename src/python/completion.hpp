// The state behind a Completion: where its answer goes.
#pragma once

#include <atomic>
#include <memory>

#include "python/host_module.hpp"
#include "python/mailbox.hpp"

namespace mqboard::python {

struct Completion::State {
  State(std::weak_ptr<Mailbox> mailbox_, unsigned generation_, std::uint32_t token_)
      : mailbox(std::move(mailbox_)), generation(generation_), token(token_) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void answer(HostResult result);

  std::weak_ptr<Mailbox> mailbox;
  unsigned generation;
  std::uint32_t token;
  std::atomic<bool> answered = false;
};

}  // namespace mqboard::python
