#include <mqboard/mqtt/client.hpp>

#include "mqtt/client_impl.hpp"

namespace mqboard::mqtt {

Client::Client(asio::any_io_executor executor, Options options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), steady_time_source())) {}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Client make_client(asio::any_io_executor executor, Options options, std::shared_ptr<TimeSource> time) {
  return Client(std::make_shared<Client::Impl>(std::move(executor), std::move(options), std::move(time)));
}

Client::~Client() {
  if (impl_) impl_->shut_down();
}

Client::Client(Client&&) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  if (impl_) impl_->shut_down();
  impl_ = std::move(other.impl_);
  return *this;
}

void Client::start() { impl_->start(); }
asio::awaitable<Result<Connected>> Client::connect() { return impl_->connect(impl_); }
asio::awaitable<void> Client::disconnect() { return impl_->disconnect(impl_); }
bool Client::connected() const { return impl_->connected(); }

asio::awaitable<Result<ReasonCode>> Client::publish(std::string_view topic, Payload payload,
                                                    PublishOptions options) {
  return impl_->publish(impl_, topic, payload, options);
}

Result<void> Client::try_publish(std::string_view topic, Payload payload, PublishOptions options) {
  return impl_->try_publish(topic, payload, options);
}

asio::awaitable<Result<void>> Client::flush(std::chrono::milliseconds timeout) {
  return impl_->flush(impl_, timeout);
}

asio::awaitable<Result<void>> Client::reauthenticate(std::chrono::milliseconds timeout) {
  return impl_->reauthenticate(impl_, timeout);
}

namespace {

asio::awaitable<Result<QoS>> granted_qos(asio::awaitable<Result<std::vector<ReasonCode>>> subscribing,
                                         std::string_view filter, QoS asked) {
  const auto codes = co_await std::move(subscribing);
  if (!codes) co_return std::unexpected(codes.error());
  if (codes->empty()) co_return asked;
  if (is_failure(codes->front())) {
    co_return std::unexpected(Error(Errc::rejected, "subscribe to " + std::string(filter) + ": " +
                                                        std::string(describe(codes->front()))));
  }
  co_return static_cast<QoS>(codes->front());
}

}  // namespace

asio::awaitable<Result<QoS>> Client::subscribe(std::string_view filter, QoS qos, SubscribeOptions options) {
  std::vector<Subscription> one(1, Subscription{.filter = filter, .max_qos = qos});
  return granted_qos(impl_->subscribe(impl_, std::move(one), options), filter, qos);
}

asio::awaitable<Result<std::vector<ReasonCode>>> Client::subscribe(std::vector<Subscription> subscriptions,
                                                                   SubscribeOptions options) {
  return impl_->subscribe(impl_, std::move(subscriptions), options);
}

asio::awaitable<Result<void>> Client::unsubscribe(std::string_view filter, SubscribeOptions options) {
  return impl_->unsubscribe(impl_, filter, options);
}

void Client::on_message(std::function<void(const MessageView&)> handler) {
  impl_->on_message(std::move(handler));
}
asio::awaitable<Result<MessageView>> Client::receive() { return impl_->receive(impl_); }
void Client::acknowledge(AckToken token) { impl_->acknowledge(token); }
void Client::on_event(std::function<void(const ConnectionEvent&)> handler) {
  impl_->on_event(std::move(handler));
}
void Client::link_up() { impl_->link_up(); }
void Client::link_down() { impl_->link_down(); }
const Statistics& Client::statistics() const { return impl_->statistics(); }
std::vector<std::uint8_t> Client::tls_ticket() const { return impl_->tls_ticket(); }

}  // namespace mqboard::mqtt
