#include "core/mqtt/testing/simulation.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "core/mqtt/testing/memory_persistence.hpp"
#include "core/mqtt/testing/model_broker.hpp"
#include "core/mqtt/varint.hpp"

namespace mqboard::mqtt::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kMessages = 14;  // each way

struct Setup {
  SessionLimits limits;
  SessionConfig config;
  std::uint16_t broker_receive_maximum = 65535;
  std::uint16_t broker_aliases = 0;
  bool persistent = false;
  bool broker_forgets = false;
  bool cleans = false;       // the client asks for a clean start now and then
  bool defers = false;       // answers wait for more of their kind
  bool store_fails = false;  // now and then, for a while
  std::uint32_t expiry_s = 0xFFFFFFFF;
  int fault_rate = 0;  // one fault in so many steps

  // The session may end without the client's having completed it.
  [[nodiscard]] bool sessions_end() const { return broker_forgets || cleans || expiry_s != 0xFFFFFFFF; }
};

Setup make_setup(Random& random) {
  Setup setup;
  const auto pick = [&random](std::uint64_t least, std::uint64_t most) {
    return static_cast<std::uint16_t>(least + random.below(most - least + 1));
  };
  setup.config.version = random.one_in(2) ? ProtocolVersion::v5 : ProtocolVersion::v3_1_1;
  const bool v5 = setup.config.version == ProtocolVersion::v5;
  setup.config.response_time = 10s;
  setup.config.send_window = pick(1, 6);
  setup.config.pipeline_window = 1;
  setup.config.offline_qos0 = OfflineQos0::queue;
  setup.config.acknowledge = random.one_in(3) ? AckMode::manual : AckMode::automatic;
  setup.config.link_check = static_cast<LinkCheck>(random.below(3));
  setup.limits = {.outgoing_messages = pick(2, 12),
                  .store_bytes = pick(1000, 4000),
                  .out_bytes = pick(512, 1500),
                  .out_segments = pick(1, 3),
                  .inbound_bytes = pick(128, 300),
                  .receive_window = pick(1, 5),
                  .inbound_qos2 = 8,
                  .topic_aliases_out = pick(0, 2)};
  if (v5) setup.broker_receive_maximum = pick(1, 8);
  if (v5) setup.broker_aliases = pick(0, 2);
  setup.limits.topic_aliases_in = pick(0, 2);
  setup.persistent = !random.one_in(3);
  setup.store_fails = setup.persistent && random.one_in(2);
  setup.defers = random.one_in(2);
  setup.cleans = random.one_in(8);
  if (v5 && random.one_in(8)) setup.expiry_s = pick(0, 2) * 10;
  if (random.one_in(4)) setup.config.session_lost = SessionLostPolicy::fail;
  setup.broker_forgets = random.one_in(5);
  setup.fault_rate = pick(10, 120);
  return setup;
}

// What the application must not forget: committed together with the session's records.
struct Application {
  int next = 1;                              // number of the next message to publish
  std::map<std::uint16_t, int> outstanding;  // packet identifier -> number
  std::set<int> completed;
  std::set<int> uncertain;  // failed with the session
  std::vector<NumberedMessage> received;
  int session = 0;  // of the broker, which it was told has begun
};

class Simulation {
 public:
  explicit Simulation(unsigned long long seed)
      : random_(seed),
        setup_(make_setup(random_)),
        broker_(setup_.config.version, setup_.broker_receive_maximum, setup_.broker_aliases, random_) {
    start_client();
    saw(setup_.config.version == ProtocolVersion::v5 ? "MQTT 5.0" : "MQTT 3.1.1");
    for (int i = 0; i <= kMessages; ++i) messages_.push_back(random_message(i, "up/"));
  }

  SimulationResult run() {
    for (int i = 0; i < 400 && ok(); ++i) step(true);
    for (int i = 0; i < 20'000 && ok() && !finished(); ++i) step(false);
    if (ok() && !finished()) fail("stalled: " + state());
    if (ok()) check_end();
    return result_;
  }

 private:
  struct Link {
    explicit Link(Wire wire) : broker(wire) {}
    ModelBroker::Connection broker;
    Buffer up;
    Buffer traced;
    Buffer begun;  // of a packet whose rest the client has not written yet
  };

  [[nodiscard]] bool ok() const { return result_.failure.empty(); }
  struct PendingMessage {
    AckHandle ack;
    int number = 0;
  };

  void trace(const std::string& what) const {
    if (tracing_)
      std::printf("%lld %s\n", static_cast<long long>(now_.time_since_epoch().count()), what.c_str());
  }
  void saw(const std::string& what, int times = 1) { result_.seen[what] += times; }
  void fail(const std::string& what) {
    trace("FAIL " + what);
    if (ok()) result_.failure = what;
  }

  NumberedMessage random_message(int number, const char* prefix) {
    const std::size_t filler = random_.one_in(6) ? random_.below(900) : random_.below(40);
    return {number, prefix + std::to_string(random_.below(3)), static_cast<QoS>(random_.below(3)), filler};
  }

  // --- The client's process

  void start_client() {
    Persistence* store = setup_.persistent ? &store_ : nullptr;
    client_.emplace(setup_.limits, setup_.config, store);
    if (!(*client_)->restore()) fail("restore failed");
  }

  void crash_client() {
    trace("client crashes");
    saw("crashes of the client");
    if (!store_.committed.empty()) saw("records restored");
    drop_link();
    store_.crash();
    app_ = committed_;
    last_acks_.clear();
    partial_.reset();
    lent_.clear();
    client_.emplace(setup_.limits, setup_.config, &store_);
    if (!(*client_)->restore()) fail("restore failed");
    for (const auto& [id, number] : app_.outstanding) {
      const QoS qos = messages_[static_cast<std::size_t>(number)].qos;
      if (qos == QoS::at_most_once) app_.completed.insert(number);  // gone with the process, as QoS 0 may be
    }
    std::erase_if(app_.outstanding,
                  [this](const auto& entry) { return app_.completed.contains(entry.second); });
  }

  void drop_link() {
    if (link_ == nullptr) return;
    trace("client loses the link");
    link_ = nullptr;
    (*client_)->transport_lost(now_);
    poll();
  }

  void connect() {
    saw("connections");
    must_clean_ = must_clean_ || (setup_.cleans && faults_ && random_.one_in(6));
    trace(must_clean_ ? "client connects cleanly" : "client connects");
    const ConnectOptions options{.clean_start = must_clean_,  // until a connection was accepted
                                 .keep_alive_s = 30,
                                 .client_id = "c",
                                 .session_expiry_s = setup_.expiry_s,
                                 .pipeline = random_.one_in(2),
                                 .adopt_session = true};
    links_.push_back(std::make_unique<Link>(Wire{setup_.config.version, Flow::to_server}));
    link_ = links_.back().get();
    if (!(*client_)->connect(options, now_)) fail("connect refused");
    poll();
  }

  void subscribe() {
    const Subscription filters[] = {{.filter = "down/#", .max_qos = QoS::exactly_once}};
    if ((*client_)->subscribe(filters, {}, now_)) wants_subscription_ = false;
  }

  void publish_next() {
    if (app_.next > kMessages) return;
    const NumberedMessage& message = messages_[static_cast<std::size_t>(app_.next)];
    const std::string payload = message.payload();
    PublishRequest request{.topic = message.topic, .payload = as_bytes(payload), .qos = message.qos};
    if (payload.size() > 200) {
      request.payload_use = PayloadUse::lend;
      lent_.push_back(std::make_unique<std::string>(payload));  // stays for the life of the process
      request.payload = as_bytes(*lent_.back());
    }
    const auto token = (*client_)->publish(request, now_);
    if (!token) {
      const bool refused = token.error() == SessionError::persistence_failed && store_.failing;
      if (token.error() != SessionError::no_room && !refused)
        fail("publish: " + std::string(describe(token.error())));
      return;
    }
    const int number = app_.next++;
    if (token->completed()) {
      app_.completed.insert(number);
    } else if (!app_.outstanding.emplace(token->packet_id(), number).second) {
      fail("token of an outstanding operation given out again");
    }
  }

  void poll() {
    if (link_ != nullptr) input_.insert(input_.end(), arrived_.begin(), arrived_.end());
    arrived_.clear();
    if (link_ == nullptr) input_.clear();
    Bytes rest{input_};
    bool closed = false;
    while (const auto event = (*client_)->poll(rest, now_)) closed = on_event(*event) || closed;
    input_.erase(input_.begin(), input_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    if (!(*client_)->invariants_hold()) fail("invariants broken");
    if (!closed || link_ == nullptr) return;
    input_.clear();
    drop_link();
  }

  // True: the connection is over.
  bool on_event(const Event& event) {
    trace("  client: " + event_text(event));
    if (const auto* closed = std::get_if<event::Closed>(&event)) {
      if (closed->cause == CloseCause::violation) fail(event_text(event));
      if (closed->cause == CloseCause::persistence_failed) saw("connections closed for want of the store");
      if (closed->cause == CloseCause::client) saw("connections ended by DISCONNECT");
      return true;
    }
    if (const auto* connected = std::get_if<event::Connected>(&event)) {
      was_present_ = was_present_ || connected->session_present;
      if (connected->session_present) saw("sessions resumed");
      if (!connected->session_present && had_session_) saw("sessions gone");
      if (!connected->session_present) app_.session = broker_.sessions();
      if (app_.session != broker_.sessions()) untold_ = true;
      if (must_clean_) saw("clean starts");
      had_session_ = true;
      must_clean_ = false;
      wants_subscription_ = !connected->session_present || !broker_.subscribed();
    } else if (std::holds_alternative<event::SessionLost>(event)) {
      saw("sessions lost with messages in them");
      if (!setup_.sessions_end() && was_present_) fail("session lost although the broker has it");
    } else if (const auto* published = std::get_if<event::Published>(&event)) {
      complete(published->token, app_.completed);
    } else if (const auto* failed = std::get_if<event::Failed>(&event)) {
      if (failed->why == mqtt::Failure::session_lost) {
        complete(failed->token, app_.uncertain);
        failed_.insert(app_.uncertain.begin(), app_.uncertain.end());
      }
      if (failed->why == mqtt::Failure::connection_lost) complete_qos0(failed->token);
    } else if (const auto* message = std::get_if<event::Message>(&event)) {
      partial_ = NumberedMessage{0, std::string(message->topic), message->qos, 0};
      payload_ = as_text(message->payload);
      arriving_ = message->ack.packet_id;
      if (message->qos != QoS::at_most_once)
        last_acks_.push_back({message->ack, NumberedMessage::number_in(payload_)});
      if (message->complete()) take_message();
    } else if (const auto* body = std::get_if<event::MessageBody>(&event)) {
      payload_ += as_text(body->payload);
      if (body->last) take_message();
    } else if (std::holds_alternative<event::MessageAborted>(event)) {
      if (partial_ && partial_->qos != QoS::at_most_once && !last_acks_.empty()) last_acks_.pop_back();
      partial_.reset();
    }
    return false;
  }

  void take_message() {
    partial_->number = NumberedMessage::number_in(payload_);  // a first piece may have cut it short
    const NumberedMessage& sent = world_.at(static_cast<std::size_t>(partial_->number - 1));
    if (sent.payload() != payload_ || sent.topic != partial_->topic || sent.qos != partial_->qos) {
      fail("message to the client changed on its way");
    }
    saw(std::string("received at QoS ") + static_cast<char>('0' + static_cast<int>(partial_->qos)));
    if (partial_->qos == QoS::exactly_once) inbound_[arriving_] = partial_->number;
    if (partial_->qos != QoS::at_most_once && !last_acks_.empty())
      last_acks_.back().number = partial_->number;
    app_.received.push_back(*partial_);
    partial_.reset();
  }

  void complete(Token token, std::set<int>& how) {
    const auto found = app_.outstanding.find(token.packet_id());
    // A record that could not be erased may come up again after a crash.
    if (found == app_.outstanding.end() && setup_.store_fails) return;
    if (found == app_.outstanding.end()) return fail("completion of an unknown operation");
    how.insert(found->second);
    app_.outstanding.erase(found);
  }
  void complete_qos0(Token token) {
    if (app_.outstanding.contains(token.packet_id())) complete(token, app_.completed);  // else a subscribe
  }

  void acknowledge() {
    if (setup_.config.acknowledge == AckMode::automatic) last_acks_.clear();
    if (last_acks_.empty() || partial_) return;
    const std::size_t which = random_.below(last_acks_.size());
    const bool done = (*client_)->acknowledge(last_acks_[which].ack, ReasonCode::success, now_);
    if (!done && store_.failing) return;  // again when it works
    const int number = last_acks_[which].number;
    last_acks_.erase(last_acks_.begin() + static_cast<std::ptrdiff_t>(which));
    if (!done) return;  // its connection is over
    std::erase_if(last_acks_, [number](const PendingMessage& pending) { return pending.number == number; });
  }

  void commit() {
    store_.commit();
    committed_ = app_;
    // A message whose record the store refused is not the application's yet: a crash brings it again.
    for (const RecordKey key : store_.refused) {
      const auto number = inbound_.find(key.packet_id);
      if (key.kind != RecordKey::Kind::inbound || number == inbound_.end()) continue;
      std::erase_if(committed_.received,
                    [&](const auto& message) { return message.number == number->second; });
    }
    // What the application has not acknowledged yet takes effect when it does: a crash undoes it.
    if (setup_.config.acknowledge == AckMode::automatic) return;
    std::erase_if(committed_.received, [this](const NumberedMessage& message) {
      return std::any_of(last_acks_.begin(), last_acks_.end(),
                         [&](const PendingMessage& pending) { return pending.number == message.number; });
    });
  }

  // Takes the complete packets out of `bytes`. False: one of all, or the one begun, is no mere answer.
  static bool only_answers(Buffer& bytes) {
    bool answers = true;
    std::size_t at = 0;
    while (at < bytes.size()) {
      const auto type = static_cast<PacketType>(bytes[at] >> 4);
      answers = answers &&
                (type == PacketType::puback || type == PacketType::pubrec || type == PacketType::pubcomp);
      const Varint length = read_varint(Bytes{bytes}.subspan(at + 1));
      const bool complete = length.state == Varint::State::complete;
      if (!complete || bytes.size() - at < 1 + length.size + length.value) break;
      at += 1 + length.size + length.value;
    }
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return answers;
  }

  // What is said to may wait is all there is, and nothing but answers; and all answers are said to.
  void check_deferrable(std::span<const Bytes> list, std::size_t waiting) {
    Buffer bytes = link_->begun;
    std::size_t total = 0;
    for (const Bytes piece : list) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
      total += piece.size();
    }
    if (waiting != (only_answers(bytes) ? total : 0)) fail("wrong about what may wait to be sent");
  }

  // The client's transport takes some bytes, after what they depend on was committed.
  void client_writes(std::size_t most) {
    if (link_ == nullptr) return;
    const std::size_t waiting = (*client_)->deferrable_bytes();
    if (setup_.defers && waiting != 0 && held_ < 3 && random_.one_in(2)) {
      ++held_;
      return;
    }
    if (held_ != 0) saw(waiting != 0 ? "answers held back" : "answers held back until something urgent");
    held_ = 0;
    commit();
    std::array<Bytes, 16> list;
    const std::size_t used = (*client_)->outgoing(list);
    check_deferrable({list.data(), used}, waiting);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < used && taken < most; ++i) {
      const Bytes piece = list[i].first(std::min(list[i].size(), most - taken));
      link_->up.insert(link_->up.end(), piece.begin(), piece.end());
      link_->begun.insert(link_->begun.end(), piece.begin(), piece.end());
      taken += piece.size();
    }
    only_answers(link_->begun);
    (*client_)->sent(taken, now_);
    poll();
  }

  // --- The network and the broker

  std::vector<ModelBroker::Connection*> connections() {
    std::vector<ModelBroker::Connection*> all;
    for (const auto& link : links_) all.push_back(&link->broker);
    return all;
  }

  void broker_reads(Link& link, std::size_t most) {
    const std::size_t count = std::min(most, link.up.size());
    const Buffer bytes(link.up.begin(), link.up.begin() + static_cast<std::ptrdiff_t>(count));
    link.up.erase(link.up.begin(), link.up.begin() + static_cast<std::ptrdiff_t>(count));
    if (tracing_) {
      link.traced.insert(link.traced.end(), bytes.begin(), bytes.end());
      for (const auto& line : take_packets(link.traced, {setup_.config.version, Flow::to_server})) {
        trace("to broker" + std::string(link_ == &link ? ": " : " (late): ") + line +
              (link.broker.open ? "" : " (closed)"));
      }
    }
    broker_.now = now_;
    if (link_ != &link && !bytes.empty()) saw("bytes of an old connection read late");
    if (link.broker.open) broker_.received(link.broker, bytes, connections());
    if (!broker_.fault.empty()) fail("client: " + broker_.fault);
  }

  void broker_works(std::size_t most) {
    for (const auto& link : links_) {
      if (!link->broker.open || !link->broker.connected) continue;
      broker_.send_owed(link->broker, most);
      if (link.get() == link_) broker_.deliver(link->broker);
    }
    if (random_.one_in(2) || most > 100) broker_.commit(connections());
  }

  void client_reads(std::size_t most) {
    if (link_ == nullptr) return;
    Buffer& out = link_->broker.out;
    const std::size_t count = std::min(most, out.size());
    arrived_.insert(arrived_.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
    out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
    poll();
    if (link_ != nullptr && !link_->broker.open && link_->broker.out.empty()) drop_link();
  }

  void fault() {
    switch (random_.below(9)) {
      case 0:
        return drop_link();  // what it sent so far still arrives, or not
      case 1:
        if (link_ != nullptr) link_->up.clear(), link_->broker.open = false;
        return drop_link();
      case 2:
        for (const auto& link : links_) link->up.clear();
        return drop_link();
      case 3:
        if (setup_.persistent) crash_client();
        return;
      case 4:
        trace("broker crashes");
        saw("crashes of the broker");
        broker_.crash(connections());
        return;
      case 5:
        if (!setup_.broker_forgets) return;
        for (const auto& link : links_) link->broker.open = false;
        trace("broker forgets");
        broker_.lose_session();
        return;
      case 6:
        store_.failing = setup_.store_fails;
        return;
      case 7:
        static_cast<void>((*client_)->disconnect(ReasonCode::success, {}, now_));
        return;
      default:
        now_ += 12s;
        return;  // long enough for a timeout
    }
  }

  void publish_to_client() {
    if (world_next_ > kMessages || !broker_.subscribed()) return;
    world_.push_back(random_message(world_next_++, "down/"));
    trace("world publishes " + std::to_string(world_.back().number) + " " + world_.back().topic);
    broker_.publish(world_.back());
    broker_.commit(connections());
  }

  void step(bool faults) {
    faults_ = faults;
    if (store_.failing && (!faults || random_.one_in(40))) store_.failing = false;
    const std::size_t most = faults ? 1 + random_.below(random_.one_in(3) ? 400 : 12) : 1'000'000;
    if (link_ == nullptr && (random_.one_in(4) || !faults)) connect();
    if (wants_subscription_) subscribe();
    switch (random_.below(8)) {
      case 0:
        publish_next();
        break;
      case 1:
        publish_to_client();
        break;
      case 2:
        client_writes(most);
        break;
      case 3:
        if (const std::size_t which = random_.below(links_.size() + 1); which < links_.size()) {
          broker_reads(*links_[which], most);
        }
        if (link_ != nullptr) broker_reads(*link_, most);
        break;
      case 4:
        broker_works(faults ? random_.below(3) : 1000);
        break;
      case 5:
        client_reads(most);
        break;
      case 6:
        acknowledge();
        break;
      default:
        now_ += Millis{random_.below(faults ? 400 : 50)};
        (*client_)->tick(now_);
        break;
    }
    poll();
    if (faults && random_.one_in(static_cast<std::uint64_t>(setup_.fault_rate))) fault();
    std::erase_if(links_, [this](const auto& link) {
      return link.get() != link_ && (link->up.empty() || !link->broker.open);
    });
  }

  // --- The end

  bool finished() {
    const bool up = app_.next > kMessages && app_.outstanding.empty() && (*client_)->outstanding() == 0;
    const bool down = world_next_ > kMessages && broker_.idle() && last_acks_.empty();
    return up && down && link_ != nullptr && (*client_)->connected() && !(*client_)->has_outgoing() &&
           link_->up.empty() && link_->broker.held.empty() && link_->broker.out.empty();
  }

  std::string state() {
    const auto number = [](const char* name, std::size_t value) {
      return std::string(name) + std::to_string(value);
    };
    return number("next ", static_cast<std::size_t>(app_.next)) +
           number(", outstanding ", app_.outstanding.size()) + number("/", (*client_)->outstanding()) +
           number(", to client next ", static_cast<std::size_t>(world_next_)) +
           (broker_.idle() ? ", broker idle" : ", broker busy") +
           (broker_.subscribed() ? " subscribed" : "") + number(", acks ", last_acks_.size()) +
           (link_ == nullptr ? ", no link" : ", link") + ((*client_)->connected() ? " connected" : "") +
           number(", input ", input_.size()) + number(", outgoing ", (*client_)->has_outgoing() ? 1 : 0);
  }

  // Numbers of the messages of one topic in the order they first came, and how often each came.
  std::string check_log(const std::vector<NumberedMessage>& log, bool may_double, bool in_order) const {
    std::map<std::string, int> highest;
    std::map<int, int> times;
    for (const NumberedMessage& message : log) {
      // One that failed may come up again after a crash, when its record could not be erased.
      if (setup_.store_fails && &log != &app_.received && failed_.contains(message.number)) continue;
      const bool first = ++times[message.number] == 1;
      const bool ordered = message.qos != QoS::at_most_once && in_order;
      if (first && ordered && message.number < highest[message.topic])
        return "order broken on " + message.topic;
      if (first) highest[message.topic] = message.number;
      if (!first && message.qos == QoS::exactly_once && !may_double) return "QoS 2 message doubled";
      if (!first && message.qos == QoS::at_most_once) return "QoS 0 message doubled";
    }
    return "";
  }

  void check_end() {
    const auto numbers = [](const std::vector<NumberedMessage>& log) {
      std::set<int> all;
      for (const NumberedMessage& message : log) all.insert(message.number);
      return all;
    };
    const std::set<int> accepted = numbers(broker_.accepted());
    for (const NumberedMessage& message : broker_.accepted()) {
      const NumberedMessage& sent = messages_.at(static_cast<std::size_t>(message.number));
      if (message.payload() != sent.payload() || message.topic != sent.topic || message.qos != sent.qos) {
        fail("message to the broker changed on its way");
      }
      saw(std::string("accepted at QoS ") + static_cast<char>('0' + static_cast<int>(message.qos)));
    }
    for (const auto& [what, times] : broker_.seen) saw(what, times);
    for (int number = 1; number <= kMessages; ++number) {
      if (messages_[static_cast<std::size_t>(number)].qos == QoS::at_most_once) continue;
      const bool completed = app_.completed.contains(number);
      if (!completed && !app_.uncertain.contains(number)) fail("message never completed");
      if (completed && !accepted.contains(number)) fail("published message lost: " + std::to_string(number));
      if (completed) saw("QoS 1 and 2 messages published");
    }
    const std::set<int> received = numbers(app_.received);
    for (const NumberedMessage& message : world_) {
      if (message.qos == QoS::at_most_once || broker_.dropped.contains(message.number)) continue;
      // The client takes the new session for the old one when the CONNACK that would have told it was lost,
      // or when a crash brings back an identifier that it could not erase.
      if (untold_ || (setup_.store_fails && setup_.sessions_end())) continue;
      if (!received.contains(message.number))
        fail("message to the client lost: " + std::to_string(message.number));
    }
    if (const auto up = check_log(broker_.accepted(), setup_.sessions_end(), true); !up.empty())
      fail("to broker: " + up);
    // A process that crashed between acknowledging a later message and an earlier one gets the earlier one
    // again.
    const bool in_order = setup_.config.acknowledge == AckMode::automatic || !setup_.persistent;
    if (const auto down = check_log(app_.received, setup_.sessions_end(), in_order); !down.empty())
      fail("to client: " + down);
  }

  const bool tracing_ = std::getenv("MQBOARD_SIMULATION_TRACE") != nullptr;
  Random random_;
  Setup setup_;
  TimePoint now_{Millis{1'000'000}};
  SimulationResult result_;
  ModelBroker broker_;
  MemoryPersistence store_;
  std::optional<OwnedSession> client_;
  Application app_;
  Application committed_;
  std::vector<PendingMessage> last_acks_;
  std::optional<NumberedMessage> partial_;
  std::string payload_;
  std::uint16_t arriving_ = 0;
  std::vector<std::unique_ptr<std::string>> lent_;
  std::vector<std::unique_ptr<Link>> links_;
  Link* link_ = nullptr;
  Buffer arrived_;
  Buffer input_;
  std::vector<NumberedMessage> messages_;
  std::vector<NumberedMessage> world_;
  int world_next_ = 1;
  bool wants_subscription_ = false;
  bool had_session_ = false;
  bool was_present_ = false;
  bool untold_ = false;   // a session ended and the client cannot know
  std::set<int> failed_;  // with their session; a crash does not undo it
  bool must_clean_ = false;
  bool faults_ = true;
  int held_ = 0;                          // how often the answers that wait were held back
  std::map<std::uint16_t, int> inbound_;  // QoS 2 identifier -> number of the message it came with
};

}  // namespace

SimulationResult simulate(unsigned long long seed) { return Simulation{seed}.run(); }

}  // namespace mqboard::mqtt::testing
