// Test support: the server's half of one client's session, as the specification describes it (sections 4.3
// and 4.4), with durable state, and suspicious of its client.
//
// Messages of the client are numbered in the order it published them, and so are those for the client; the
// number is the beginning of the payload: "17:...". What the broker has taken over is in accepted().
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/base/time.hpp"
#include "core/mqtt/framer.hpp"
#include "core/mqtt/testing/packet_text.hpp"

namespace mqboard::mqtt::testing {

struct NumberedMessage {
  int number = 0;
  std::string topic;
  QoS qos = QoS::at_most_once;
  std::size_t filler = 0;

  [[nodiscard]] std::string payload() const {
    return std::to_string(number) + ":" + std::string(filler, 'x');
  }
  static int number_in(std::string_view payload);
};

class ModelBroker {
 public:
  // One transport from the client.
  struct Connection {
    explicit Connection(Wire wire) : buffer(70'000), framer(buffer) { framer.reset(wire, 1 << 20); }
    Buffer buffer;
    Framer framer;
    bool open = true;                            // the broker has not closed it
    bool connected = false;                      // CONNECT accepted
    Buffer held;                                 // to the client, once what it tells is durable
    Buffer out;                                  // to the client
    int highest_number = 0;                      // of the messages that arrived on it
    std::map<std::uint16_t, PacketType> in_use;  // packet identifiers the client has not got back
    std::set<std::uint16_t> in_window;           // those of unacknowledged QoS 1 and 2 messages
    std::size_t window = 65535;                  // QoS 1 and 2 messages we may have in flight to the client
    std::size_t in_flight = 0;
    std::uint32_t alias_maximum = 0;  // of those we may use
    std::map<std::uint32_t, std::string> aliases_in, aliases_out;
    std::deque<std::uint16_t> puback_due, pubrec_due;  // in the order their messages were sent
    struct Owed {
      PacketType type;
      std::uint16_t packet_id;
    };
    std::deque<Owed> owed;  // acknowledgements that take their time
  };

  ModelBroker(ProtocolVersion version, std::uint16_t receive_maximum, std::uint16_t alias_maximum,
              Random& random)
      : version_(version),
        receive_maximum_(receive_maximum),
        alias_maximum_(alias_maximum),
        random_(random) {}

  // Bytes from the client. `others` are closed when a CONNECT takes the session over.
  void received(Connection& connection, Bytes bytes, std::vector<Connection*> others);
  void send_owed(Connection& connection, std::size_t most);
  void deliver(Connection& connection);  // whatever of the queue the window allows
  void publish(const NumberedMessage& message);

  void commit(std::vector<Connection*> connections);
  void crash(std::vector<Connection*> connections);
  void lose_session();

  [[nodiscard]] const std::vector<NumberedMessage>& accepted() const { return state_.accepted; }
  [[nodiscard]] bool idle() const { return state_.session.queue.empty() && state_.session.in_flight.empty(); }
  [[nodiscard]] int sessions() const { return state_.sessions; }
  [[nodiscard]] bool subscribed() const { return state_.session.subscribed; }

  // What the client did wrong; empty: nothing.
  std::string fault;
  // Numbers of the messages to the client that ended with a session.
  std::set<int> dropped;
  // How often what happened.
  std::map<std::string, int> seen;
  TimePoint now;

 private:
  struct InFlight {
    std::uint16_t packet_id = 0;
    NumberedMessage message;
    bool released = false;  // PUBREC came
  };
  struct SessionState {
    bool exists = false;
    bool subscribed = false;
    std::set<std::uint16_t> taken;  // QoS 2 identifiers of the client between PUBLISH and PUBREL
    std::deque<InFlight> in_flight;
    std::deque<NumberedMessage> queue;
    std::uint16_t last_id = 0;
    bool ends_with_connection = false;
    Millis expiry = Millis::max();  // how long the client may be silent
    TimePoint heard;
  };
  struct State {
    SessionState session;
    std::vector<NumberedMessage> accepted;
    int sessions = 0;  // begun
  };

  void handle(Connection& connection, const Frame& frame, const std::vector<Connection*>& others);
  void on_connect(Connection& connection, const Connect& packet, const std::vector<Connection*>& others);
  [[nodiscard]] bool forgets(const Connect& packet) const;
  void end(SessionState& session);
  void on_publish(Connection& connection, Publish packet);
  void on_ack(Connection& connection, PacketType type, std::uint16_t packet_id);
  void on_pubrel(Connection& connection, std::uint16_t packet_id);
  void use(Connection& connection, std::uint16_t packet_id, PacketType type, bool dup);
  void transmit(Connection& connection, const InFlight& message, bool dup);
  void say_message(Connection& connection, Publish packet);
  template<class Packet>
  void say(Connection& connection, const Packet& packet);
  void blame(std::string what) {
    if (fault.empty()) fault = std::move(what);
  }

  ProtocolVersion version_;
  std::uint16_t receive_maximum_;
  std::uint16_t alias_maximum_;
  Random& random_;
  State state_;
  State durable_;
};

}  // namespace mqboard::mqtt::testing
