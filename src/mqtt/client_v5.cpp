// What MQTT 5.0 adds to connecting: enhanced authentication (section 4.12) and server redirection (4.11).
#include "mqtt/client_impl.hpp"

namespace mqboard::mqtt {

// The method, and what the application says in this step.
Result<Properties> Client::Impl::authentication(AuthenticationStep step, Bytes data) {
  const Authentication& with = options_.authentication;
  Properties properties;
  if (with.method.empty() || options_.version != ProtocolVersion::v5) return properties;
  properties.text(PropertyId::authentication_method, with.method);
  if (!with.answer) return properties;
  auto said = with.answer(step, as_text(data));
  if (!said) return std::unexpected(std::move(said.error()));
  if (!said->empty()) properties.binary(PropertyId::authentication_data, as_bytes(*said));
  return properties;
}

void Client::Impl::on(const event::Auth& auth) {
  const bool done = auth.reason == ReasonCode::success;
  const Bytes data = auth.properties.binary(PropertyId::authentication_data).value_or(Bytes{});
  const auto properties =
      authentication(done ? AuthenticationStep::success : AuthenticationStep::challenge, data);
  if (!properties) return end_link(properties.error());
  if (done) return end_dialogue({});
  const auto sent =
      session_->authenticate(ReasonCode::continue_authentication, properties->view(), time_->now());
  if (!sent)
    return end_link(Error(Errc::invalid_argument, "authenticate: " + std::string(describe(sent.error()))));
  request_turn();
}

void Client::Impl::end_dialogue(Result<void> outcome) {
  Operation* const waiting = std::exchange(reauthentication_, nullptr);
  if (waiting == nullptr) return;
  if (!outcome) waiting->failure = std::move(outcome.error());
  waiters_->wake_all(waiting->list);
  waiters_->resume_woken_later();
}

asio::awaitable<Result<void>> Client::Impl::reauthenticate(std::shared_ptr<Impl>,
                                                           std::chrono::milliseconds timeout) {
  if (options_.authentication.method.empty() || reauthentication_ != nullptr) {
    co_return std::unexpected(
        Error(Errc::invalid_argument, "reauthenticate: no method, or under way already"));
  }
  if (!connected()) co_return std::unexpected(Error(Errc::not_connected));
  const auto properties = authentication(AuthenticationStep::begin, {});
  if (!properties) co_return std::unexpected(properties.error());
  const auto sent = session_->authenticate(ReasonCode::reauthenticate, properties->view(), time_->now());
  if (!sent) {
    const std::string why = "reauthenticate: " + std::string(describe(sent.error()));
    co_return std::unexpected(Error(Errc::invalid_argument, why));
  }
  request_turn();
  Operation operation;
  reauthentication_ = &operation;
  const Wake woken = co_await waiters_->wait(operation.list, deadline_after(timeout));
  if (reauthentication_ == &operation) reauthentication_ = nullptr;
  if (woken != Wake::notified) {
    co_return std::unexpected(Error(woken == Wake::timeout ? Errc::timeout : Errc::cancelled));
  }
  if (operation.failure) co_return std::unexpected(std::move(*operation.failure));
  co_return Result<void>{};
}

// A server reference is a list of "host" or "host:port", separated by spaces (section 4.11).
void Client::Impl::note_redirect(const event::Closed& closed) {
  const bool moved = closed.reason == ReasonCode::server_moved;
  if (!moved && closed.reason != ReasonCode::use_another_server) return;
  const auto reference = closed.properties.text(PropertyId::server_reference);
  if (options_.redirect != Redirect::follow || !reference) return;
  auto server = Endpoint::parse("mqtt://" + std::string(reference->substr(0, reference->find(' '))));
  if (!server || endpoint_.scheme == Scheme::unix_socket) return;
  server->scheme = endpoint_.scheme;
  server->target = endpoint_.target;
  for (Endpoint& known : options_.endpoints) {
    if (moved && known == endpoint_) known = *server;
  }
  redirect_ = std::move(*server);
}

}  // namespace mqboard::mqtt
