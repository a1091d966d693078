// Small packets that come together (Options::coalesce), against a scripted broker in virtual time.
#include <gtest/gtest.h>

#include <deque>

#include "mqtt/testing/client_fixture.hpp"

namespace mqboard::mqtt {
namespace {

using namespace testing;

class ClientCoalesce : public ClientFixture {
 public:
  [[nodiscard]] Options coalescing() const {
    Options made = options();
    made.coalesce = 2ms;
    return made;
  }
};

// So large that each wakes the client: here only the answers wait.
std::string message(std::uint16_t id) { return publish("t", std::string(5'000, 'x'), {.qos = 1, .id = id}); }

// Sends one message after the other, each as soon as the one before is acknowledged, until the client holds
// an acknowledgement back. Returns its packet id; 0: it never does.
asio::awaitable<std::uint16_t> until_held(ClientCoalesce& t, Client& client, Peer& peer) {
  for (std::uint16_t id = 1; id < 1'000; ++id) {
    const Statistics before = client.statistics();
    co_await peer.send(message(id));
    co_await eventually(t.io,
                        [&] { return client.statistics().messages_received > before.messages_received; });
    if (client.statistics().writes == before.writes) co_return id;
    co_await peer.expect(puback(id));
  }
  co_return 0;
}

TEST_F(ClientCoalesce, AcknowledgementsOfADenseStreamLeaveTogether) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.coalescing());
    client.on_message([](const MessageView&) {});
    const std::uint16_t held = co_await until_held(t, client, peer);
    CO_ASSERT(held != 0);
    const std::uint64_t writes = client.statistics().writes;
    co_await peer.send(message(held + 1));
    co_await peer.expect(puback(held));
    co_await peer.expect(puback(held + 1));
    EXPECT_EQ(client.statistics().writes, writes + 1);
  }(*this));
}

TEST_F(ClientCoalesce, AHeldAcknowledgementLeavesInTime) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.coalescing());
    client.on_message([](const MessageView&) {});
    const std::uint16_t held = co_await until_held(t, client, peer);
    CO_ASSERT(held != 0);
    t.time->advance(2ms);
    co_await peer.expect(puback(held));
  }(*this));
}

TEST_F(ClientCoalesce, AHeldAcknowledgementLeavesWithWhateverElseIsSent) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.coalescing());
    client.on_message([](const MessageView&) {});
    const std::uint16_t held = co_await until_held(t, client, peer);
    CO_ASSERT(held != 0);
    client.try_publish("answer", "y").value();
    co_await peer.expect(puback(held));
    co_await peer.expect(publish("answer", "y"));
  }(*this));
}

TEST_F(ClientCoalesce, AHeldAcknowledgementLeavesBeforeTheClientDoes) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.coalescing());
    client.on_message([](const MessageView&) {});
    const std::uint16_t held = co_await until_held(t, client, peer);
    CO_ASSERT(held != 0);
    { const Client gone = std::move(client); }
    co_await peer.expect(puback(held));
    co_await peer.expect_end();
  }(*this));
}

TEST_F(ClientCoalesce, WithoutCoalescingEveryMessageIsAcknowledgedAtOnce) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.options());
    client.on_message([](const MessageView&) {});
    for (std::uint16_t id = 1; id < 300; ++id) {
      co_await peer.send(message(id));
      co_await peer.expect(puback(id));
      t.time->advance(1ms);
    }
  }(*this));
}

// A client that only receives sleeps through single messages of a dense stream; none waits longer than
// allowed.
TEST_F(ClientCoalesce, AMessageBelowTheMarkIsDeliveredInTime) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    auto [client, peer] = co_await t.connected(t.coalescing());
    std::uint64_t seen = 0;
    client.on_message([&](const MessageView&) { ++seen; });
    std::uint64_t sent = 0;
    while (sent < 100 && seen == sent) {
      co_await peer.send(publish("t", "small"));
      ++sent;
      co_await t.pause();
    }
    EXPECT_EQ(seen + 1, sent) << "each message was delivered alone";
    t.time->advance(2ms);
    const bool delivered = co_await eventually(t.io, [&] { return seen == sent; });
    EXPECT_TRUE(delivered);
  }(*this));
}

// --- Publishing: the window refills when a part of it has been acknowledged

asio::awaitable<int> publish_many(Client& client, int count) {
  for (int sent = 0; sent < count; ++sent) {
    const auto accepted = co_await client.publish("t", "x", {.qos = QoS::at_least_once, .sync = false});
    if (!accepted) co_return sent;
  }
  co_return count;
}

// The broker acknowledges one at a time; where the client does not wake up for it, its kernel and the
// broker's would make that a wait of 40 ms.
TEST_F(ClientCoalesce, AnAcknowledgementBelowTheMarkIsFoundInTime) {
  run(io, [](ClientCoalesce& t) -> asio::awaitable<void> {
    Options options = t.coalescing();
    options.send_window = 8;
    auto [client, peer] = co_await t.connected(options);
    Task publishing(t.io, publish_many(client, 200));
    std::deque<std::uint16_t> owed;  // acknowledgements, by packet id
    const auto take = [&]() -> asio::awaitable<void> {
      const std::string packet = co_await peer.next_packet();
      CO_ASSERT(packet.size() == 8 && packet[0] == '\x32');
      owed.push_back(static_cast<std::uint16_t>(packet[5] << 8 | packet[6]));
    };
    const auto acknowledge = [&]() -> asio::awaitable<void> {
      co_await peer.send(puback(owed.front()));
      owed.pop_front();
    };
    while (owed.size() < 8) co_await take();
    bool slept = false;
    for (int acked = 0; acked < 100 && !slept; ++acked) {
      const std::uint64_t reads = client.statistics().reads;
      co_await acknowledge();
      co_await t.pause();
      slept = client.statistics().reads == reads;
      if (!slept) co_await take();
    }
    EXPECT_TRUE(slept) << "the client woke up for every acknowledgement";
    t.time->advance(2ms);
    co_await take();
    co_await acknowledge();  // and now that they come one at a time, it wakes up for each again
    co_await take();
  }(*this));
}

}  // namespace
}  // namespace mqboard::mqtt
