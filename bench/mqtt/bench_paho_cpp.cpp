// Paho C++ (paho-mqttpp3): delivery tokens kept in a ring as large as the window.
#include <mqtt/async_client.h>

#include <atomic>
#include <deque>

#include "bench_common.hpp"

using mqboard::bench::die;
using mqboard::bench::Job;

namespace {

void publish(mqtt::async_client& client, const Job& job) {
  const std::string payload(job.payload_bytes, 'x');
  std::deque<mqtt::delivery_token_ptr> open;
  mqboard::bench::Meter meter;
  meter.start();
  for (std::size_t sent = 0; sent < job.count; ++sent) {
    if (open.size() == job.window) {
      open.front()->wait();
      open.pop_front();
    }
    open.push_back(client.publish(mqboard::bench::kTopic, payload.data(), payload.size(), job.qos, false));
  }
  for (const auto& token : open) token->wait();
  meter.report();
}

void receive(mqtt::async_client& client, const Job& job) {
  mqboard::bench::Meter meter;
  std::atomic<std::size_t> received{0};
  std::atomic<bool> done{false};
  client.set_message_callback([&](const mqtt::const_message_ptr&) {
    if (received == 0) meter.start();
    if (++received == job.count) {
      done = true;
      done.notify_all();
    }
  });
  client.subscribe(mqboard::bench::kTopic, job.qos)->wait();
  mqboard::bench::print_ready();
  done.wait(false);
  meter.report();
}

}  // namespace

int main(int argc, char** argv) {
  const Job job = mqboard::bench::parse(argc, argv);
  try {
    mqtt::async_client client("tcp://" + job.host + ":" + std::to_string(job.port),
                              "paho-cpp-" + std::string(argv[1]));
    mqtt::connect_options options;
    options.set_clean_session(true);
    options.set_max_inflight(static_cast<int>(job.window) + 1);
    client.connect(options)->wait();
    if (job.publish) {
      publish(client, job);
    } else {
      receive(client, job);
    }
    std::_Exit(0);
  } catch (const std::exception& error) {
    die(error.what());
  }
}
