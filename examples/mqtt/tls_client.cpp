// Shows a broker a client certificate, and trusts it only if its own was issued by the given authority:
//
//   mqtt_tls_client --server mqtts://broker.example --ca ca.crt --cert client.crt --key client.key
//                   [--topic greetings/tls]
#include "example.hpp"

using namespace example;

asio::awaitable<mqtt::Result<void>> greet(mqtt::Client& client, std::string topic) {
  auto up = co_await client.connect();
  if (!up) co_return std::unexpected(up.error());
  std::cout << "connected to " << up->endpoint << '\n';
  const mqtt::PublishOptions retained{.qos = QoS::at_least_once, .retain = true};
  if (auto sent = co_await client.publish(topic, "Hello over TLS!", retained); !sent) {
    co_return std::unexpected(sent.error());
  }
  // The broker keeps a retained message and sends it to whoever subscribes later.
  if (auto granted = co_await client.subscribe(topic); !granted) co_return std::unexpected(granted.error());
  auto message = co_await client.receive();
  if (!message) co_return std::unexpected(message.error());
  std::cout << message->topic << ": " << message->text() << (message->retained ? " (retained)\n" : "\n");
  co_await client.disconnect();
  co_return mqtt::Result<void>();
}

int main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  mqtt::Options options = server_of(arguments, "mqtts://127.0.0.1");
  options.tls.ca_file = arguments.option("--ca", "");
  options.tls.certificate_file = arguments.option("--cert", "");
  options.tls.key_file = arguments.option("--key", "");
  asio::io_context io;
  mqtt::Client client(io.get_executor(), options);
  return run(io, greet(client, arguments.option("--topic", "greetings/tls")));
}
