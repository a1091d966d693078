// One end of a numbered stream of messages, for tests that break what lies between the ends.
//
//   mqb_mqtt_load publish|receive --server URL --id CLIENT_ID --qos Q --topic T --count N --journal FILE
//                 [--session FILE] [--version 5]
//
// publish sends the numbers up to N that its journal does not have yet, a few at a time, and at last an end
// mark; receive takes them until the end mark comes. The journal is the program's own record, one line an
// event, each in the file before the program goes on: "submitted n" before n is given to the client,
// "acknowledged n" when its publish() has completed, "received n" ("again n" with the DUP flag) before the
// message is acknowledged; "connected", "subscribed", and "lost" for a lost session. Started again with the
// same journal and session file the program goes on where it was killed.
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mqboard/mqtt/client.hpp>

namespace {

namespace asio = boost::asio;
namespace mqtt = mqboard::mqtt;
using namespace std::chrono_literals;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

constexpr std::string_view kEnd = "end";

class Journal {
 public:
  explicit Journal(const std::string& path) {
    std::ifstream old(path);
    std::string event;
    for (std::size_t n = 0; old >> event >> n;) {
      if (event == "submitted") last_submitted = n;
    }
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file_ < 0) die(path + ": cannot write");
  }

  void write(const char* event, std::size_t n) {
    const std::string line = std::string(event) + ' ' + std::to_string(n) + '\n';
    if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      die("journal: cannot write");
  }

  std::size_t last_submitted = 0;

 private:
  int file_ = -1;
};

struct Job {
  bool publish = true;
  mqtt::QoS qos = mqtt::QoS::at_least_once;
  std::string topic;
  std::size_t count = 0;
};

// Several at a time, each waiting for its own acknowledgement: accepted in the order of their numbers.
struct Publisher {
  mqtt::Client& client;
  const Job& job;
  Journal& journal;
  std::size_t open = 0;

  asio::awaitable<void> one(std::size_t n) {
    const auto done = co_await client.publish(job.topic, std::to_string(n), {.qos = job.qos});
    if (!done) die("publish " + std::to_string(n) + ": " + done.error().message());
    journal.write("acknowledged", n);
    --open;
  }
};

asio::awaitable<void> publish(mqtt::Client& client, asio::io_context& io, const Job& job, Journal& journal) {
  client.start();
  // What an earlier life left; which numbers these were, only the receiver can tell.
  if (const auto done = co_await client.flush(); !done) die("flush: " + done.error().message());
  constexpr std::size_t kBatch = 10;
  Publisher publisher{client, job, journal};
  for (std::size_t n = journal.last_submitted + 1; n <= job.count; ++n) {
    journal.write("submitted", n);
    ++publisher.open;
    asio::co_spawn(io, publisher.one(n), asio::detached);
    if (publisher.open < kBatch && n < job.count) continue;
    // The last one spawned has not run yet; flush() counts what is accepted.
    while (publisher.open != 0) {
      co_await asio::post(io, asio::use_awaitable);
      if (const auto done = co_await client.flush(); !done) die("flush: " + done.error().message());
    }
  }
  if (const auto done = co_await client.publish(job.topic, kEnd, {.qos = job.qos}); !done) {
    die("publish the end: " + done.error().message());
  }
  co_await client.disconnect();
  io.stop();
}

asio::awaitable<void> receive(mqtt::Client& client, asio::io_context& io, const Job& job, Journal& journal) {
  client.on_message([&](const mqtt::MessageView& message) {
    if (message.text() == kEnd) return asio::post(io, [&io] { io.stop(); });
    const std::size_t n = std::stoul(std::string(message.text()));
    journal.write(message.duplicate ? "again" : "received", n);
  });
  client.start();
  if (const auto granted = co_await client.subscribe(job.topic, job.qos); !granted) {
    die("subscribe: " + granted.error().message());
  }
  journal.write("subscribed", 0);
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb != "publish" && verb != "receive") die("usage: mqb_mqtt_load publish|receive --server URL ...");
  const Job job{.publish = verb == "publish",
                .qos = static_cast<mqtt::QoS>(std::stoi(given["--qos"])),
                .topic = given["--topic"],
                .count = std::stoul(given["--count"])};
  mqtt::Options options;
  if (const auto added = options.add_url(given["--server"]); !added) die(added.error().message());
  options.client_id = given["--id"];
  options.clean_session = false;
  options.persistence_file = given["--session"];
  if (given["--version"] == "5") options.version = mqtt::ProtocolVersion::v5;
  options.reconnect_min = 10ms;
  options.reconnect_max = 200ms;
  options.response_time = 1s;  // a stalled link is dropped, not waited for
  options.connect_timeout = 2s;

  Journal journal(given["--journal"]);
  asio::io_context io(1);
  mqtt::Client client(io.get_executor(), options);
  client.on_event([&](const mqtt::ConnectionEvent& event) {
    if (std::holds_alternative<mqtt::Connected>(event)) journal.write("connected", 0);
    if (std::holds_alternative<mqtt::SessionLost>(event)) journal.write("lost", 0);
  });
  asio::co_spawn(io, job.publish ? publish(client, io, job, journal) : receive(client, io, job, journal),
                 asio::detached);
  io.run();
}
