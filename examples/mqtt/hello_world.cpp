// Says hello to itself by way of a broker:
//
//   mqtt_hello_world [--server mqtt://127.0.0.1] [--topic greetings/world] [--count 3]
#include "example.hpp"

using namespace example;

asio::awaitable<mqtt::Result<void>> hello(mqtt::Client& client, std::string topic, int count) {
  if (auto up = co_await client.connect(); !up) co_return std::unexpected(up.error());
  if (auto granted = co_await client.subscribe(topic, QoS::at_least_once); !granted) {
    co_return std::unexpected(granted.error());
  }
  for (int n = 1; n <= count; ++n) {
    const std::string greeting = "Hello World #" + std::to_string(n) + "!";
    auto sent = co_await client.publish(topic, greeting, {.qos = QoS::at_least_once});
    if (!sent) co_return std::unexpected(sent.error());
    auto message = co_await client.receive();
    if (!message) co_return std::unexpected(message.error());
    std::cout << message->topic << ": " << message->text() << '\n';
  }
  co_await client.disconnect();
  co_return mqtt::Result<void>();
}

int main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  mqtt::Options options = server_of(arguments, "mqtt://127.0.0.1");
  asio::io_context io;
  mqtt::Client client(io.get_executor(), options);
  const int count = std::stoi(arguments.option("--count", "3"));
  return run(io, hello(client, arguments.option("--topic", "greetings/world"), count));
}
