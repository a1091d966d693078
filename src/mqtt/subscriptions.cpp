#include "mqtt/subscriptions.hpp"

#include <algorithm>
#include <utility>

namespace mqboard::mqtt {

using State = SubscriptionRequest::State;

std::vector<Subscription> SubscriptionRequest::packet() const {
  std::vector<Subscription> subscriptions;
  for (const Filter& filter : filters) {
    subscriptions.push_back(filter.options);
    subscriptions.back().filter = filter.text;
  }
  return subscriptions;
}

std::uint64_t Subscriptions::add(std::span<const Subscription> subscriptions, PropertyView properties) {
  for (const Subscription& subscription : subscriptions)
    forget(subscription.filter);  // replaced by the new request
  SubscriptionRequest request;
  for (const Subscription& subscription : subscriptions) {
    request.filters.push_back({std::string(subscription.filter), subscription});
    request.filters.back().options.filter = {};
  }
  const Bytes encoded = properties.encoded();
  request.properties.assign(encoded.begin(), encoded.end());
  request.id = ++last_id_;
  entries_.push_back(std::move(request));
  return last_id_;
}

SubscriptionRequest* Subscriptions::find(std::uint64_t id) {
  const auto found = std::ranges::find(entries_, id, &SubscriptionRequest::id);
  return found == entries_.end() ? nullptr : &*found;
}

void Subscriptions::abandon(std::uint64_t id) {
  SubscriptionRequest* const request = find(id);
  if (request == nullptr) return;
  request->waiting = nullptr;
  if (request->state == State::wanted) erase(*request);
}

void Subscriptions::erase(const SubscriptionRequest& request) {
  std::erase_if(entries_, [&](const SubscriptionRequest& entry) { return &entry == &request; });
}

void Subscriptions::forget(std::string_view filter) {
  for (SubscriptionRequest& request : entries_) {
    if (request.state != State::sent)
      std::erase_if(request.filters, [&](const auto& f) { return f.text == filter; });
  }
  std::erase_if(entries_, [](const SubscriptionRequest& request) {
    return request.filters.empty() && request.waiting == nullptr;
  });
}

void Subscriptions::on_connection_begin(bool clean) {
  for (SubscriptionRequest& request : entries_) {
    request.sent_on_this_connection = false;
    if (clean) request.state = State::wanted;
  }
}

void Subscriptions::on_session_absent() {
  for (SubscriptionRequest& request : entries_) {
    if (!request.sent_on_this_connection) request.state = State::wanted;
  }
}

void Subscriptions::on_connection_lost() {
  for (SubscriptionRequest& request : entries_) {
    if (request.state == State::sent) request.state = State::wanted;
  }
}

SubscriptionRequest* Subscriptions::next_wanted() {
  const auto wanted = std::ranges::find(entries_, State::wanted, &SubscriptionRequest::state);
  return wanted == entries_.end() ? nullptr : &*wanted;
}

void Subscriptions::on_sent(SubscriptionRequest& request, Token token) {
  request.state = State::sent;
  request.sent_on_this_connection = true;
  request.token = token;
}

Operation* Subscriptions::settle(Token token, Bytes reason_codes) {
  const auto request = std::ranges::find_if(entries_, [&](const SubscriptionRequest& entry) {
    return entry.state == State::sent && entry.token == token;
  });
  if (request == entries_.end()) return nullptr;
  Operation* const waiting = std::exchange(request->waiting, nullptr);
  request->state = State::granted;
  std::size_t index = 0;
  std::erase_if(request->filters, [&](const auto&) {
    const std::size_t at = index++;
    return at >= reason_codes.size() || is_failure(static_cast<ReasonCode>(reason_codes[at]));
  });
  if (!keep_ || request->filters.empty()) entries_.erase(request);
  return waiting;
}

}  // namespace mqboard::mqtt
