#include "mqtt/testing/round_trip.hpp"

namespace mqboard::mqtt::testing {

Options options_for(const std::string& url) {
  Options options;
  options.add_url(url).value();
  options.reconnect_min = 20ms;
  options.reconnect_max = 100ms;
  return options;
}

asio::awaitable<Result<std::string>> round_trip(asio::io_context& io, Options options) {
  Client client(io.get_executor(), std::move(options));
  auto up = co_await client.connect();
  if (!up) co_return std::unexpected(up.error());
  auto subscribed = co_await client.subscribe("test/round", QoS::at_least_once);
  if (!subscribed) co_return std::unexpected(subscribed.error());
  auto published = co_await client.publish("test/round", "trip", {.qos = QoS::at_least_once});
  if (!published) co_return std::unexpected(published.error());
  const auto message = co_await client.receive();
  if (!message) co_return std::unexpected(message.error());
  std::string text(message->text());
  co_await client.disconnect();
  co_return text;
}

void expect_round_trip(asio::io_context& io, Options options) {
  run(io, [](asio::io_context& on, Options with) -> asio::awaitable<void> {
    const auto text = co_await round_trip(on, std::move(with));
    CO_ASSERT_OK(text);
    EXPECT_EQ(*text, "trip");
  }(io, std::move(options)));
}

void expect_burst(asio::io_context& io, Options options) {
  run(io, [](asio::io_context& on, Options with) -> asio::awaitable<void> {
    constexpr int kMessages = 500;
    Client client(on.get_executor(), std::move(with));
    const auto up = co_await client.connect();
    CO_ASSERT_OK(up);
    for (int i = 0; i < kMessages; ++i) {
      const PublishOptions retained{.qos = QoS::at_least_once, .retain = true, .sync = i + 1 == kMessages};
      const auto published = co_await client.publish("t/" + std::to_string(i), "x", retained);
      CO_ASSERT_OK(published);
    }
    int arrived = 0;
    client.on_message([&](const MessageView&) { ++arrived; });
    const auto granted = co_await client.subscribe("t/#", QoS::at_most_once);
    CO_ASSERT_OK(granted);
    const bool all = co_await eventually(on, [&] { return arrived == kMessages; });
    EXPECT_TRUE(all) << arrived;
  }(io, std::move(options)));
}

void expect_error(asio::io_context& io, Options options, Errc code, const std::string& in_message) {
  run(io, [](asio::io_context& on, Options with, Errc errc, std::string part) -> asio::awaitable<void> {
    const auto text = co_await round_trip(on, std::move(with));
    CO_ASSERT(!text);
    EXPECT_TRUE(text.error() == errc) << text.error().message();
    EXPECT_NE(text.error().message().find(part), std::string::npos) << text.error().message();
  }(io, std::move(options), code, in_message));
}

}  // namespace mqboard::mqtt::testing
