// Paho C, asynchronous (paho-mqtt3as): its own two threads do the work, this one waits for the window.
#include <MQTTAsync.h>

#include <condition_variable>
#include <mutex>

#include "bench_common.hpp"

using mqboard::bench::die;
using mqboard::bench::Job;

namespace {

struct State {
  Job job;
  MQTTAsync client = nullptr;
  mqboard::bench::Meter meter;
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  std::size_t done = 0;
};

void become_ready(void* opaque, MQTTAsync_successData*) {
  auto* const state = static_cast<State*>(opaque);
  const std::lock_guard lock(state->mutex);
  state->ready = true;
  state->changed.notify_all();
}

void count_done(void* opaque, MQTTAsync_successData*) {
  auto* const state = static_cast<State*>(opaque);
  const std::lock_guard lock(state->mutex);
  ++state->done;
  state->changed.notify_all();
}

void fail(void*, MQTTAsync_failureData* data) {
  die(data && data->message ? data->message : "paho: operation failed");
}

int on_message(void* opaque, char* topic, int, MQTTAsync_message* message) {
  auto* const state = static_cast<State*>(opaque);
  if (state->done == 0) state->meter.start();
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  count_done(opaque, nullptr);
  return 1;
}

void wait_ready(State& state) {
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&] { return state.ready; });
  state.ready = false;
}

void wait_done(State& state, std::size_t at_least) {
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&] { return state.done >= at_least; });
}

void publish(State& state) {
  std::string payload(state.job.payload_bytes, 'x');
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.onSuccess = count_done;
  options.onFailure = fail;
  options.context = &state;
  state.meter.start();
  for (std::size_t sent = 0; sent < state.job.count; ++sent) {
    if (sent >= state.job.window) wait_done(state, sent - state.job.window + 1);
    if (MQTTAsync_send(state.client, mqboard::bench::kTopic, static_cast<int>(payload.size()), payload.data(),
                       state.job.qos, 0, &options) != MQTTASYNC_SUCCESS) {
      die("MQTTAsync_send failed");
    }
  }
  wait_done(state, state.job.count);
  state.meter.report();
}

void receive(State& state) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.onSuccess = become_ready;
  options.onFailure = fail;
  options.context = &state;
  if (MQTTAsync_subscribe(state.client, mqboard::bench::kTopic, state.job.qos, &options) !=
      MQTTASYNC_SUCCESS) {
    die("MQTTAsync_subscribe failed");
  }
  wait_ready(state);
  mqboard::bench::print_ready();
  wait_done(state, state.job.count);
  state.meter.report();
}

}  // namespace

int main(int argc, char** argv) {
  State state;
  state.job = mqboard::bench::parse(argc, argv);
  const std::string url = "tcp://" + state.job.host + ":" + std::to_string(state.job.port);
  const std::string id = "paho-c-" + std::string(argv[1]);
  MQTTAsync_create(&state.client, url.c_str(), id.c_str(), MQTTCLIENT_PERSISTENCE_NONE, nullptr);
  MQTTAsync_setCallbacks(state.client, &state, nullptr, on_message, nullptr);
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
  connect.cleansession = 1;
  connect.maxInflight = static_cast<int>(state.job.window) + 1;
  connect.onSuccess = become_ready;
  connect.onFailure = fail;
  connect.context = &state;
  if (MQTTAsync_connect(state.client, &connect) != MQTTASYNC_SUCCESS) die("MQTTAsync_connect failed");
  wait_ready(state);
  if (state.job.publish) {
    publish(state);
  } else {
    receive(state);
  }
  std::_Exit(0);
}
