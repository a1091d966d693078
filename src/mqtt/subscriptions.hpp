// What the application has subscribed to: so that a request waits for a connection, survives the loss of one,
// and is renewed when the broker has lost the session.
#pragma once

#include <list>
#include <mqboard/mqtt/error.hpp>
#include <mqboard/mqtt/properties.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/mqtt/session_types.hpp"

namespace mqboard::mqtt {

// Where the outcome of one awaited operation arrives. Lives in the awaiting coroutine's frame.
class Operation;

// One SUBSCRIBE as the application made it.
struct SubscriptionRequest {
  enum class State : std::uint8_t {
    wanted,   // to be sent
    sent,     // SUBACK outstanding
    granted,  // in force, as part of the session
  };

  struct Filter {
    std::string text;
    Subscription options;  // its `filter` is not used
  };

  std::uint64_t id = 0;
  std::vector<Filter> filters;
  std::vector<std::uint8_t> properties;
  State state = State::wanted;
  bool sent_on_this_connection = false;
  Token token;
  Operation* waiting = nullptr;  // null: nobody

  // Borrowed from this.
  [[nodiscard]] std::vector<Subscription> packet() const;
};

class Subscriptions {
 public:
  explicit Subscriptions(bool keep) : keep_(keep) {}

  // Takes over a request and names it.
  std::uint64_t add(std::span<const Subscription> subscriptions, PropertyView properties);
  // Null when it is no longer there.
  SubscriptionRequest* find(std::uint64_t id);
  // Nobody waits for it any more; if it was not sent yet it will not be.
  void abandon(std::uint64_t id);
  void erase(const SubscriptionRequest& request);

  // The application no longer wants the filter.
  void forget(std::string_view filter);

  // A connection begins / its CONNACK says that the session is not there / it is lost.
  void on_connection_begin(bool clean);
  void on_session_absent();
  void on_connection_lost();

  // The oldest request to send; null: none.
  SubscriptionRequest* next_wanted();
  void on_sent(SubscriptionRequest& request, Token token);

  // A SUBACK answers the request: filters that were refused are dropped, what is not to be kept vanishes.
  // Returns who waited for it.
  Operation* settle(Token token, Bytes reason_codes);

  std::list<SubscriptionRequest>& entries() { return entries_; }
  [[nodiscard]] const std::list<SubscriptionRequest>& entries() const { return entries_; }

 private:
  std::list<SubscriptionRequest> entries_;
  std::uint64_t last_id_ = 0;
  bool keep_;  // granted requests, to renew them
};

}  // namespace mqboard::mqtt
