// libmqboard-mqtt.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <mqboard/mqtt/client.hpp>

#include "bench_common.hpp"

namespace asio = boost::asio;
namespace mqtt = mqboard::mqtt;
using mqboard::bench::die;
using mqboard::bench::Job;

namespace {

mqtt::Options options_for(const Job& job) {
  mqtt::Options options;
  options.endpoints = {
      {.scheme = mqtt::Scheme::tcp, .host = job.host, .port = static_cast<std::uint16_t>(job.port)}};
  options.send_window = static_cast<std::uint16_t>(job.window);
  return options;
}

asio::awaitable<void> publish(mqtt::Client& client, const Job& job, asio::io_context& io) {
  if (const auto up = co_await client.connect(); !up) die(up.error().message());
  const std::string payload(job.payload_bytes, 'x');
  const mqtt::PublishOptions options{.qos = static_cast<mqtt::QoS>(job.qos), .sync = false};
  mqboard::bench::Meter meter;
  meter.start();
  for (std::size_t i = 0; i < job.count; ++i) {
    const auto accepted = co_await client.publish(mqboard::bench::kTopic, payload, options);
    if (!accepted) die(accepted.error().message());
  }
  if (const auto done = co_await client.flush(); !done) die(done.error().message());
  meter.report();
  co_await client.disconnect();
  io.stop();
}

asio::awaitable<void> receive(mqtt::Client& client, const Job& job, asio::io_context& io) {
  mqboard::bench::Meter meter;
  std::size_t received = 0;
  client.on_message([&](const mqtt::MessageView&) {
    if (received++ == 0) meter.start();
    if (received == job.count) {
      meter.report();
      io.stop();
    }
  });
  if (const auto up = co_await client.connect(); !up) die(up.error().message());
  const auto granted = co_await client.subscribe(mqboard::bench::kTopic, static_cast<mqtt::QoS>(job.qos));
  if (!granted) die(granted.error().message());
  mqboard::bench::print_ready();
  for (;;) co_await client.receive();  // never completes: the handler takes everything
}

}  // namespace

int main(int argc, char** argv) {
  const Job job = mqboard::bench::parse(argc, argv);
  asio::io_context io(1);
  mqtt::Client client(io.get_executor(), options_for(job));
  asio::co_spawn(io, job.publish ? publish(client, job, io) : receive(client, job, io), asio::detached);
  io.run();
}
