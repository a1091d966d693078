// libmosquitto, driven by its own mosquitto_loop() on one thread: its fastest mode for one connection.
#include <mosquitto.h>

#include "bench_common.hpp"

using mqboard::bench::die;
using mqboard::bench::Job;

namespace {

struct State {
  Job job;
  mqboard::bench::Meter meter;
  bool connected = false;
  bool subscribed = false;
  std::size_t done = 0;
};

void check(int code) {
  if (code != MOSQ_ERR_SUCCESS) die(mosquitto_strerror(code));
}

void on_connect(mosquitto*, void* state, int code) {
  if (code != 0) die(mosquitto_connack_string(code));
  static_cast<State*>(state)->connected = true;
}

void on_publish(mosquitto*, void* state, int) { ++static_cast<State*>(state)->done; }

void on_subscribe(mosquitto*, void* state, int, int, const int*) {
  static_cast<State*>(state)->subscribed = true;
}

void on_message(mosquitto*, void* opaque, const mosquitto_message*) {
  auto* const state = static_cast<State*>(opaque);
  if (state->done++ == 0) state->meter.start();
}

void publish(mosquitto* client, State& state) {
  const std::string payload(state.job.payload_bytes, 'x');
  state.meter.start();
  std::size_t sent = 0;
  while (state.done < state.job.count) {
    while (sent < state.job.count && sent - state.done < state.job.window) {
      check(mosquitto_publish(client, nullptr, mqboard::bench::kTopic, static_cast<int>(payload.size()),
                              payload.data(), state.job.qos, false));
      ++sent;
    }
    check(mosquitto_loop(client, 1000, 1));
  }
  state.meter.report();
}

void receive(mosquitto* client, State& state) {
  check(mosquitto_subscribe(client, nullptr, mqboard::bench::kTopic, state.job.qos));
  while (!state.subscribed) check(mosquitto_loop(client, 1000, 1));
  mqboard::bench::print_ready();
  while (state.done < state.job.count) check(mosquitto_loop(client, 1000, 1));
  state.meter.report();
}

}  // namespace

int main(int argc, char** argv) {
  State state;
  state.job = mqboard::bench::parse(argc, argv);
  mosquitto_lib_init();
  mosquitto* const client = mosquitto_new(nullptr, true, &state);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_publish_callback_set(client, on_publish);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_message_callback_set(client, on_message);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_max_inflight_messages_set(client, static_cast<unsigned>(state.job.window));
  check(mosquitto_connect(client, state.job.host.c_str(), state.job.port, 60));
  while (!state.connected) check(mosquitto_loop(client, 1000, 1));
  if (state.job.publish) {
    publish(client, state);
  } else {
    receive(client, state);
  }
}
