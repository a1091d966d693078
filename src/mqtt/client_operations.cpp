#include <algorithm>
#include <cstring>

#include "mqtt/client_impl.hpp"

namespace mqboard::mqtt {
namespace {

// Payloads from this size on are copied once, into memory of their own, instead of through the session's
// buffers.
constexpr std::size_t kLendFrom = 8 * 1024;

Error interrupted(Wake wake) { return Error(wake == Wake::timeout ? Errc::timeout : Errc::cancelled); }

}  // namespace

TimePoint Client::Impl::deadline_after(std::chrono::milliseconds timeout) const {
  return timeout.count() > 0 ? time_->now() + timeout : kNever;
}

void Client::Impl::attach(Token token, Operation& operation) {
  slot(token).waiting = &operation;
  ++awaited_;
  request_turn();
}

Operation* Client::Impl::detach(Slot& slot) {
  if (slot.waiting != nullptr) --awaited_;
  return std::exchange(slot.waiting, nullptr);
}

// --- Publishing

asio::awaitable<Result<ReasonCode>> Client::Impl::publish(std::shared_ptr<Impl>, std::string_view topic,
                                                          Payload payload, PublishOptions options) {
  const TimePoint deadline = deadline_after(options.timeout);
  bool wait = !room_.empty() || turns_given_ > 0;  // first come, first served
  auto place = Waiters::Place::back;
  Session::Outcome<Token> accepted;
  for (;; wait = true, place = Waiters::Place::front) {
    if (wait) {
      if (gone_) co_return std::unexpected(Error(Errc::cancelled));
      const Wake woken = co_await waiters_->wait(room_, deadline, place);
      if (woken != Wake::notified) {
        no_room_at_.reset();  // the next in line may need less
        request_turn();
        co_return std::unexpected(interrupted(woken));
      }
      --turns_given_;
    }
    accepted = submit(topic, payload, options);
    if (accepted) break;
    if (!worth_waiting(accepted.error())) co_return std::unexpected(publish_error(accepted.error(), topic));
    no_room_at_ = progress();
  }
  let_next_publish();
  if (!options.sync || accepted->completed()) co_return ReasonCode::success;

  Operation operation;
  attach(*accepted, operation);
  const Wake woken = co_await waiters_->wait(operation.list, deadline);
  if (woken != Wake::notified) {
    detach(slot(*accepted));
    if (session_->cancel(*accepted)) forget(*accepted);
    co_return std::unexpected(interrupted(woken));
  }
  if (operation.failure) co_return std::unexpected(std::move(*operation.failure));
  co_return operation.reason;
}

Result<void> Client::Impl::try_publish(std::string_view topic, Payload payload,
                                       const PublishOptions& options) {
  if (gone_) return std::unexpected(Error(Errc::cancelled));
  if (!room_.empty() || turns_given_ > 0) return std::unexpected(Error(Errc::queue_full));
  const auto accepted = submit(topic, payload, options);
  if (accepted) return {};
  if (accepted.error() == SessionError::no_room) return std::unexpected(Error(Errc::queue_full));
  if (accepted.error() == SessionError::not_connected) return std::unexpected(Error(Errc::not_connected));
  return std::unexpected(publish_error(accepted.error(), topic));
}

Session::Outcome<Token> Client::Impl::submit(std::string_view topic, Payload payload,
                                             const PublishOptions& options) {
  PublishRequest request{topic, payload.bytes(), options.qos, options.retain, options.properties};
  if (!store_) return std::unexpected(SessionError::persistence_failed);
  if (refuses_offline()) return std::unexpected(SessionError::not_connected);
  if (window_full(options.qos) && !drop_oldest_qos0()) return std::unexpected(SessionError::no_room);
  const auto accepted =
      payload.size() >= kLendFrom ? submit_lent(request) : session_->publish(request, time_->now());
  if (!accepted) return accepted;
  ++statistics_.messages_published;
  ++accepted_;
  if (!accepted->completed()) {
    Slot& open = slot(*accepted);
    open.token = *accepted;
    open.qos = options.qos;
    open.sequence = accepted_;
    ++open_publishes_;
  }
  request_turn();
  return accepted;
}

Session::Outcome<Token> Client::Impl::submit_lent(PublishRequest request) {
  const std::size_t size = request.payload.size();
  if (lent_bytes_ != 0 && lent_bytes_ + size > options_.send_buffer_size)
    return std::unexpected(SessionError::no_room);
  auto copy = std::make_unique_for_overwrite<std::uint8_t[]>(size);
  std::memcpy(copy.get(), request.payload.data(), size);
  request.payload = {copy.get(), size};
  request.payload_use = PayloadUse::lend;
  const auto accepted = session_->publish(request, time_->now());
  if (accepted && !accepted->completed()) {
    slot(*accepted).lent = std::move(copy);
    slot(*accepted).lent_bytes = size;
    lent_bytes_ += size;
  }
  return accepted;
}

bool Client::Impl::refuses_offline() const {
  return options_.queue_policy != QueuePolicy::block && options_.offline_messages == 0 && !link_;
}

// Some of the session's slots are kept for subscribes, and what has no acknowledgement may overtake the
// window.
bool Client::Impl::window_full(QoS qos) const {
  if (qos == QoS::at_most_once && connected()) return session_->free_slots() <= kSlotsForOthers;
  return open_publishes_ >= std::size_t{options_.send_window} + options_.offline_messages;
}

bool Client::Impl::drop_oldest_qos0() {
  if (options_.queue_policy != QueuePolicy::drop_oldest_qos0) return false;
  Slot* oldest = nullptr;
  for (Slot& candidate : slots_) {
    const bool droppable = candidate.sequence != 0 && candidate.qos == QoS::at_most_once;
    if (droppable && (oldest == nullptr || candidate.sequence < oldest->sequence)) oldest = &candidate;
  }
  if (oldest == nullptr || !session_->cancel(oldest->token)) return false;
  ++statistics_.messages_dropped;
  complete(oldest->token, ReasonCode::unspecified_error,
           Error(Errc::queue_full, "dropped to make room for a newer message"));
  return true;
}

bool Client::Impl::worth_waiting(SessionError error) const {
  if (options_.queue_policy != QueuePolicy::block) return false;
  return error == SessionError::no_room || error == SessionError::not_connected;
}

Error Client::Impl::publish_error(SessionError error, std::string_view topic) const {
  const std::string what =
      "publish to " + std::string(topic.substr(0, 200)) + ": " + std::string(describe(error));
  switch (error) {
    case SessionError::not_connected:
      return {Errc::not_connected};
    case SessionError::no_room:
      return {Errc::queue_full};
    case SessionError::too_large:
      return {Errc::too_large, what};
    case SessionError::not_supported:
      return {Errc::rejected, what};
    case SessionError::persistence_failed:
      return {Errc::storage_failed, what};
    default:
      return {Errc::invalid_argument, what};
  }
}

// The next in line may find room as well; it passes the turn on when it has.
void Client::Impl::let_next_publish() {
  if (room_.empty() || turns_given_ > 0 || window_full(QoS::at_least_once) || no_room_at_ == progress())
    return;
  ++turns_given_;
  waiters_->wake_one(room_);
  request_turn();
}

asio::awaitable<Result<void>> Client::Impl::flush(std::shared_ptr<Impl>, std::chrono::milliseconds timeout) {
  Flush flush;
  flush.upto = accepted_;
  flush.open = open_publishes_;
  if (flush.open != 0) {
    flushes_.push_back(&flush);
    request_turn();
    const Wake woken = co_await waiters_->wait(flush.operation.list, deadline_after(timeout));
    std::erase(flushes_, &flush);
    if (woken != Wake::notified) co_return std::unexpected(interrupted(woken));
    if (flush.operation.failure) co_return std::unexpected(std::move(*flush.operation.failure));
  }
  if (auto failed = std::exchange(unattended_, std::nullopt)) co_return std::unexpected(std::move(*failed));
  co_return Result<void>{};
}

// --- Subscribing

asio::awaitable<Result<std::vector<ReasonCode>>> Client::Impl::subscribe(
    std::shared_ptr<Impl>, std::vector<Subscription> subscriptions, SubscribeOptions options) {
  for (const Subscription& subscription : subscriptions) {
    if (!is_topic_filter(subscription.filter)) {
      co_return std::unexpected(
          Error(Errc::invalid_argument, "subscribe: malformed filter: " + std::string(subscription.filter)));
    }
  }
  if (subscriptions.empty()) co_return std::unexpected(Error(Errc::invalid_argument, "subscribe: no filter"));
  const std::uint64_t id = subscriptions_.add(subscriptions, options.properties);
  send_wanted_subscriptions();
  if (!options.sync) co_return std::vector<ReasonCode>{};
  SubscriptionRequest* request = subscriptions_.find(id);
  if (request == nullptr)
    co_return std::unexpected(Error(Errc::invalid_argument, "subscribe: cannot be encoded"));

  Operation operation;
  request->waiting = &operation;
  const Wake woken = co_await waiters_->wait(operation.list, deadline_after(options.timeout));
  if (woken != Wake::notified) {
    subscriptions_.abandon(id);
    co_return std::unexpected(interrupted(woken));
  }
  if (operation.failure) co_return std::unexpected(std::move(*operation.failure));
  co_return std::move(operation.codes);
}

// Requests that find no room stay wanted and are tried again in the next turn.
void Client::Impl::send_wanted_subscriptions() {
  while (SubscriptionRequest* const request = subscriptions_.next_wanted()) {
    const auto packet = request->packet();
    const auto sent = session_->subscribe(packet, PropertyView(request->properties), time_->now());
    if (sent) {
      subscriptions_.on_sent(*request, *sent);
      request_turn();
      continue;
    }
    if (sent.error() == SessionError::no_room || sent.error() == SessionError::not_connected) return;
    Operation* const waiting = request->waiting;
    const Error error(
        sent.error() == SessionError::not_supported ? Errc::rejected : Errc::invalid_argument,
        "subscribe to " + request->filters.front().text + ": " + std::string(describe(sent.error())));
    subscriptions_.erase(*request);
    if (waiting == nullptr) continue;
    waiting->failure = error;
    finish(*waiting);
  }
}

asio::awaitable<Result<void>> Client::Impl::unsubscribe(std::shared_ptr<Impl>, std::string_view filter,
                                                        SubscribeOptions options) {
  const TimePoint deadline = deadline_after(options.timeout);
  subscriptions_.forget(filter);
  for (;;) {
    const auto sent = session_->unsubscribe({&filter, 1}, options.properties, time_->now());
    if (!sent && sent.error() != SessionError::not_connected && sent.error() != SessionError::no_room) {
      co_return std::unexpected(
          Error(Errc::invalid_argument,
                "unsubscribe from " + std::string(filter) + ": " + std::string(describe(sent.error()))));
    }
    if (!sent) {
      const Wake woken = co_await waiters_->wait(session_open_, deadline);
      if (woken != Wake::notified) co_return std::unexpected(interrupted(woken));
      continue;
    }
    request_turn();
    if (!options.sync) co_return Result<void>{};
    Operation operation;
    attach(*sent, operation);
    const Wake woken = co_await waiters_->wait(operation.list, deadline);
    if (woken != Wake::notified) {
      detach(slot(*sent));
      co_return std::unexpected(interrupted(woken));
    }
    if (operation.retry) continue;
    if (operation.failure) co_return std::unexpected(std::move(*operation.failure));
    if (!operation.codes.empty() && is_failure(operation.codes.front())) {
      co_return std::unexpected(Error(Errc::rejected, "unsubscribe from " + std::string(filter) + ": " +
                                                          std::string(describe(operation.codes.front()))));
    }
    co_return Result<void>{};
  }
}

// --- Receiving

asio::awaitable<Result<MessageView>> Client::Impl::receive(std::shared_ptr<Impl>) {
  while (queue_.empty()) {
    if (gone_) co_return std::unexpected(Error(Errc::cancelled));
    request_turn();
    const Wake woken = co_await waiters_->wait(receive_list_);
    if (woken != Wake::notified) co_return std::unexpected(interrupted(woken));
  }
  const MessageView message = queue_.take();
  if (!options_.manual_acknowledge) acknowledge(message.ack);
  if (link_ && link_->stalled()) request_turn();
  co_return message;
}

void Client::Impl::acknowledge(AckToken token) {
  if (token.packet_id == 0) return;
  const std::size_t unreleased = session_->unreleased();
  session_->acknowledge({token.packet_id, token.connection}, ReasonCode::success, time_->now());
  taken_over_ += session_->unreleased() - unreleased;
  request_turn();
}

void Client::Impl::on_message(std::function<void(const MessageView&)> handler) {
  handler_ =
      handler ? std::make_shared<std::function<void(const MessageView&)>>(std::move(handler)) : nullptr;
  if (handler_) request_turn();
}

void Client::Impl::on_event(std::function<void(const ConnectionEvent&)> handler) {
  event_handler_ =
      handler ? std::make_shared<std::function<void(const ConnectionEvent&)>>(std::move(handler)) : nullptr;
}

}  // namespace mqboard::mqtt
