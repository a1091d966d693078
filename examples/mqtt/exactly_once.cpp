// Publishes each line of its input exactly once. Lines the broker does not have yet are in the session file:
// kill the program at any time, start it again, and it goes on where it was.
//
//   mqtt_exactly_once [--server mqtt://127.0.0.1] [--topic lines] [--session lines.session] < FILE
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "example.hpp"

using namespace example;

asio::awaitable<mqtt::Result<void>> publish_lines(mqtt::Client& client, std::string topic) {
  client.start();  // connects, now or when the broker is back
  std::size_t lines = 0;
  for (std::string line; std::getline(std::cin, line); ++lines) {
    auto kept = co_await client.publish(topic, line, {.qos = QoS::exactly_once, .sync = false});
    if (!kept) co_return std::unexpected(kept.error());
  }
  co_await asio::post(asio::use_awaitable);  // one turn later they are in the session file
  std::cout << "took over " << lines << " lines" << std::endl;
  // Also waits for what an earlier run left in the session file.
  if (auto done = co_await client.flush(); !done) co_return done;
  std::cout << "the broker has them all\n";
  co_await client.disconnect();
  co_return mqtt::Result<void>();
}

int main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  mqtt::Options options = server_of(arguments, "mqtt://127.0.0.1");
  options.client_id = "exactly-once";
  options.clean_session = false;
  options.persistence_file = arguments.option("--session", "lines.session");
  options.offline_messages = 1000;  // lines taken over while there is no broker

  asio::io_context io;
  mqtt::Client client(io.get_executor(), options);
  return run(io, publish_lines(client, arguments.option("--topic", "lines")));
}
