// Streams a file through a broker, however slow the way: the sender waits for nothing but room in the window.
//
//   mqtt_stream_file [--server mqtt://127.0.0.1] [--topic files/stream] receive COPY
//   mqtt_stream_file [--server mqtt://127.0.0.1] [--topic files/stream] send FILE
//
// Messages at QoS 1 on one topic arrive in order; an empty one ends the file. One that had to be sent again
// after a broken connection may arrive twice, hence a sequence number in front of each.
#include <cstring>
#include <fstream>

#include "example.hpp"

using namespace example;

namespace {

constexpr std::size_t kChunk = 16 * 1024;
using Sequence = std::uint32_t;

asio::awaitable<mqtt::Result<void>> send(mqtt::Client& client, std::string topic, std::ifstream file) {
  if (auto up = co_await client.connect(); !up) co_return std::unexpected(up.error());
  std::vector<char> message(sizeof(Sequence) + kChunk);
  std::size_t total = 0;
  std::streamsize bytes = 0;
  Sequence sequence = 0;
  do {
    file.read(message.data() + sizeof sequence, kChunk);
    bytes = file.gcount();
    std::memcpy(message.data(), &sequence, sizeof sequence);
    const std::string_view payload(message.data(), sizeof sequence + static_cast<std::size_t>(bytes));
    // Completes when the message is accepted, not when it is acknowledged.
    auto sent = co_await client.publish(topic, payload, {.qos = QoS::at_least_once, .sync = false});
    if (!sent) co_return std::unexpected(sent.error());
    total += static_cast<std::size_t>(bytes);
    ++sequence;
  } while (bytes != 0);
  if (auto done = co_await client.flush(); !done) co_return done;
  std::cout << "sent " << total << " bytes in " << sequence - 1 << " messages\n";
  co_await client.disconnect();
  co_return mqtt::Result<void>();
}

asio::awaitable<mqtt::Result<void>> receive(mqtt::Client& client, std::string topic, std::ofstream file) {
  if (auto up = co_await client.connect(); !up) co_return std::unexpected(up.error());
  if (auto granted = co_await client.subscribe(topic, QoS::at_least_once); !granted) {
    co_return std::unexpected(granted.error());
  }
  std::cout << "ready" << std::endl;
  std::size_t total = 0;
  for (Sequence expected = 0;;) {
    auto message = co_await client.receive();
    if (!message) co_return std::unexpected(message.error());
    Sequence sequence = 0;
    std::memcpy(&sequence, message->payload.data(), std::min(sizeof sequence, message->payload.size()));
    if (sequence != expected) continue;  // again
    const std::string_view chunk = message->text().substr(std::min(sizeof sequence, message->payload.size()));
    if (chunk.empty()) break;
    file.write(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    total += chunk.size();
    ++expected;
  }
  std::cout << "received " << total << " bytes\n";
  co_await client.disconnect();
  co_return mqtt::Result<void>();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  mqtt::Options options = server_of(arguments, "mqtt://127.0.0.1");
  const std::string topic = arguments.option("--topic", "files/stream");
  const std::string verb = arguments.word(0);
  const std::string path = arguments.word(1);
  options.send_window = 16;  // messages on the way: 256 KB
  // A receiver that is away for a moment misses nothing.
  options.client_id = "stream-file-" + verb;
  options.clean_session = false;

  asio::io_context io;
  mqtt::Client client(io.get_executor(), options);
  if (verb == "send") {
    std::ifstream file(path, std::ios::binary);
    return file ? run(io, send(client, topic, std::move(file))) : fail(path + ": cannot read");
  }
  if (verb == "receive") {
    std::ofstream file(path, std::ios::binary);
    return file ? run(io, receive(client, topic, std::move(file))) : fail(path + ": cannot write");
  }
  return fail("usage: mqtt_stream_file [--server URL] [--topic TOPIC] send|receive FILE");
}
