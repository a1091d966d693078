// Stand-ins the tests of this room share.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "board/outbox.hpp"

namespace mqboard::board::testing {

struct Sent {
  std::string topic;
  std::string payload;
  bool retain = false;
  bool operator==(const Sent&) const = default;
};

// An outbox whose connection takes messages when the test says so.
class FakeOutbox final : public Outbox {
 public:
  void ready(MessageSource& source) override {
    if (std::ranges::find(ready_, &source) == ready_.end()) ready_.push_back(&source);
  }
  void forget(MessageSource& source) override { std::erase(ready_, &source); }
  void send(std::string topic, std::string payload, bool retain) override {
    sent.push_back({std::move(topic), std::move(payload), retain});
  }

  // Sends at most `most` messages of the sources, round robin.
  void pump(std::size_t most = 1'000'000) {
    while (most-- > 0 && !ready_.empty()) {
      MessageSource* source = ready_.front();
      ready_.pop_front();
      const auto message = source->next();
      if (!message) continue;
      sent.push_back({std::string(message->topic), std::string(as_text(message->payload)), message->retain});
      ready(*source);
    }
  }
  std::vector<Sent> take() {
    pump();
    return std::exchange(sent, {});
  }

  std::vector<Sent> sent;

 private:
  std::deque<MessageSource*> ready_;
};

}  // namespace mqboard::board::testing
