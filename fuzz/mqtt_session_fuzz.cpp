// Fuzzes the MQTT session with an arbitrary broker and an arbitrary application. Two sessions live the same
// life, in memory that held something different before; one gets the broker's bytes in one piece, the other
// in small ones. They must keep their invariants and never run out of the limits they were given, and what
// they send must be well-formed. Unless a link check makes it count whether a byte came before or after
// something was sent, they must also report the same events and send the same bytes.
//
// Input: one byte of configuration, then steps. A step is one byte: low nibble what, high nibble an argument.
// What the broker says is any bytes, or a packet that is one (packet_of_broker): an input reaches deep
// without having to guess lengths and identifiers.
//
// A run costs microseconds: the two lives keep their memory from run to run, and what they report is compared
// and forgotten after each step. MQB_FUZZ_TRACE=1 shows what happens.
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "core/mqtt/session.hpp"
#include "core/mqtt/testing/packet_text.hpp"
#include "fuzz/mqtt_session_world.hpp"

namespace mqboard::mqtt {
namespace {

using fuzz::require;

constexpr SessionLimits kLimits{.outgoing_messages = 5,
                                .store_bytes = 1000,
                                .out_bytes = 512,
                                .out_segments = 2,
                                .inbound_bytes = 128,
                                .receive_window = 3,
                                .inbound_qos2 = 4,
                                .topic_aliases_in = 2,
                                .topic_aliases_out = 2,
                                .topic_alias_bytes = 8};

SessionConfig config_of(unsigned choice) {
  SessionConfig config;
  config.version = (choice & 1) != 0 ? ProtocolVersion::v5 : ProtocolVersion::v3_1_1;
  config.acknowledge = (choice & 2) != 0 ? AckMode::manual : AckMode::automatic;
  config.session_lost = (choice & 4) != 0 ? SessionLostPolicy::fail : SessionLostPolicy::republish;
  config.offline_qos0 = static_cast<OfflineQos0>((choice >> 3) % 3);
  config.send_window = 2;
  config.link_check = static_cast<LinkCheck>((choice >> 5) % 3);
  return config;
}

const char kPayload[700] = "payload";
constexpr std::string_view kTopics[] = {"a", "a/b", "topic/longer/than/an/alias", "\xC3\xA4", "#", ""};
constexpr std::uint8_t kMethod[] = {0x15, 0, 1, 'm'};

const bool tracing = std::getenv("MQB_FUZZ_TRACE") != nullptr;

class Life {
 public:
  Life(const char* name, bool in_pieces, std::byte stale)
      : name_(name), in_pieces_(in_pieces), stale_(stale), memory_(Session::memory_bytes(kLimits)) {}

  void begin(unsigned choice, std::uint32_t cuts) {
    config_ = config_of(choice);
    cuts_ = cuts;
    records_.clear();
    now_ = TimePoint{Millis{1000}};
    last_ack_ = {};
    log.clear();
    start();
  }

  void step(unsigned what, unsigned argument, Bytes broker_bytes) {
    log.clear();
    act(what, argument);
    poll(broker_bytes);
    require(session_->invariants_hold());
    if (session_->next_deadline() > now_) return;
    session_->tick(now_);  // a deadline that came to be in the past, as by a short keep alive from the server
    const bool progress = session_->next_deadline() > now_ || session_->has_outgoing();
    poll({});
    require(session_->invariants_hold());
    require(progress || session_->next_deadline() > now_);
  }

  std::string log;  // of the latest step

 private:
  void start() {
    session_.reset();
    std::fill(memory_.begin(), memory_.end(), stale_);
    session_.emplace(kLimits, config_, memory_, &records_);
    closed();
  }
  void closed() {
    open_ = false;
    waiting_.clear();
    server_.begin(config_.version);
  }

  void act(unsigned what, unsigned argument) {
    switch (what) {
      case 0:
        return connect(argument);
      case 1:
        return lose();
      case 2:
      case 3:
        return publish(argument, what == 3);
      case 4:
        return subscribe(argument);
      case 5:
        return session_->sent(take(argument * 16 + 1), now_);
      case 6:
        now_ += Millis{argument * argument * 100};
        return session_->tick(now_);
      case 7:
        return acknowledge(argument);
      case 8:
        return disconnect(argument);
      case 9:
        return session_->pause_input((argument & 1) != 0, now_);
      case 10:
        return authenticate(argument);
      case 11:
        return note(session_->cancel(Token{0x10000u * (argument >> 2) + (argument & 3) + 1}));
      case 12:
        return persist(argument);
      default:
        return;  // the broker's turn
    }
  }
  void connect(unsigned argument) {
    ConnectOptions options{
        .clean_start = (argument & 1) != 0, .client_id = "c", .pipeline = (argument & 2) != 0};
    if ((argument & 4) != 0) options.properties = PropertyView{kMethod};
    options.session_expiry_s = (argument & 8) != 0 ? 100 : 0;
    options.adopt_session = (argument & 8) != 0;
    const bool accepted = session_->connect(options, now_).has_value();
    open_ = open_ || accepted;
    note(accepted);
  }
  void lose() {
    session_->transport_lost(now_);
    closed();
  }
  void publish(unsigned argument, bool lend) {
    PublishRequest request{.topic = kTopics[argument % 6], .retain = (argument & 4) != 0};
    request.qos = static_cast<QoS>(argument % 3);
    request.payload = as_bytes({kPayload, lend ? 700u : argument * 20});
    request.payload_use = lend ? PayloadUse::lend : PayloadUse::copy;
    note(session_->publish(request, now_));
  }
  void subscribe(unsigned argument) {
    const Subscription filters[] = {{.filter = kTopics[argument % 6]}, {.filter = "+/x"}};
    const std::string_view names[] = {kTopics[argument % 6]};
    if ((argument & 8) != 0) return note(session_->unsubscribe(names, {}, now_));
    note(session_->subscribe({filters, 1 + (argument & 1)}, {}, now_));
  }
  void disconnect(unsigned argument) {
    const std::uint8_t expiry[] = {0x11, 0, 0, 0, static_cast<std::uint8_t>(argument >> 2)};
    const PropertyView properties = (argument & 1) != 0 ? PropertyView{expiry} : PropertyView{};
    const ReasonCode reason = (argument & 2) != 0 ? ReasonCode::disconnect_with_will : ReasonCode::success;
    note(session_->disconnect(reason, properties, now_).has_value());
  }
  void authenticate(unsigned argument) {
    const ReasonCode reason =
        (argument & 1) != 0 ? ReasonCode::reauthenticate : ReasonCode::continue_authentication;
    note(session_->authenticate(reason, PropertyView{kMethod}, now_).has_value());
  }
  void acknowledge(unsigned argument) {
    AckHandle handle = last_ack_;
    if ((argument & 4) != 0) handle.packet_id = static_cast<std::uint16_t>(argument & 3);
    note(session_->acknowledge(handle, (argument & 8) != 0 ? ReasonCode::quota_exceeded : ReasonCode::success,
                               now_));
  }
  // The store begins or ceases to fail; the process dies and a new one finds its records, or damaged ones.
  void persist(unsigned argument) {
    if ((argument & 1) != 0) {
      records_.failing = (argument & 2) != 0;
      return;
    }
    if ((argument & 2) != 0 && records_.damage(argument >> 2, true)) {
      start();
      note(session_->restore().has_value());
      records_.damage(argument >> 2, false);
    }
    start();
    if (session_->restore().has_value()) return;
    require(records_.failed);  // what it could not forget may be more than a session can hold
    records_.clear();
    start();
  }

  // The transport takes up to `limit` bytes, which go into the log.
  std::size_t take(std::size_t limit) {
    Bytes list[3];
    std::size_t taken = 0;
    for (std::size_t i = 0, used = session_->outgoing(list); i < used && taken < limit; ++i) {
      const Bytes piece = list[i].first(std::min(list[i].size(), limit - taken));
      taken += piece.size();
      log += as_text(piece);
      server_.reads(piece);
    }
    return taken;
  }

  // Shows what waited already, then the broker's new bytes: all of them at once, or in pieces.
  void poll(Bytes broker_bytes) {
    if (!open_) broker_bytes = {};
    std::size_t offered = waiting_.size() + (in_pieces_ ? 0 : broker_bytes.size());
    if (!broker_bytes.empty()) waiting_.insert(waiting_.end(), broker_bytes.begin(), broker_bytes.end());
    const std::size_t beginning = waiting_.size() - broker_bytes.size() + 40;
    std::size_t used = 0;
    for (;;) {
      Bytes rest = Bytes{waiting_}.first(offered).subspan(used);
      while (const auto event = session_->poll(rest, now_)) note(*event);
      used = offered - rest.size();
      if (offered == waiting_.size()) break;
      offered = std::min(offered + (offered < beginning ? small_piece() : 37), waiting_.size());
    }
    if (used != 0) waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(used));
  }
  // A third are single bytes, none is larger than what stands before a payload. Where they end differs from
  // packet to packet and from run to run, so that every place is cut at some time.
  std::size_t small_piece() {
    cuts_ = cuts_ * 1'664'525u + 1'013'904'223u;
    const std::uint32_t choice = cuts_ >> 16;
    return choice % 3 == 0 ? 1 : 1 + choice / 3 % 8;
  }

  void note(bool value) { log += value ? '+' : '-'; }
  void note(const Session::Outcome<Token>& token) {
    if (token) {
      fuzz::add(log, token->value);
    } else {
      fuzz::add(log, token.error());
    }
  }
  void note(const Event& event) {
    if (tracing) std::fprintf(stderr, "%s: %s\n", name_, testing::event_text(event).c_str());
    if (const auto* message = std::get_if<event::Message>(&event)) last_ack_ = message->ack;
    if (std::holds_alternative<event::Closed>(event)) open_ = false;
    fuzz::add(log, event);
  }

  const char* name_;
  bool in_pieces_;
  std::byte stale_;
  std::vector<std::byte> memory_;
  std::optional<Session> session_;
  SessionConfig config_;
  fuzz::Records records_;
  fuzz::Server server_;
  TimePoint now_;
  std::uint32_t cuts_ = 0;
  bool open_ = false;  // the broker can be heard
  testing::Buffer waiting_;
  AckHandle last_ack_;
};

}  // namespace
}  // namespace mqboard::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mqboard::mqtt;
  static Life whole{"whole ", false, std::byte{0xA5}};
  static Life pieces{"pieces", true, std::byte{0x5A}};
  if (size < 2) return 0;
  const SessionConfig config = config_of(data[0]);
  const bool comparable = config.link_check != LinkCheck::after_sending;
  const std::uint32_t cuts = data[0] * 31u + data[size - 1] + static_cast<std::uint32_t>(size);
  whole.begin(data[0], cuts);
  pieces.begin(data[0], cuts);
  std::uint8_t room[600];
  mqboard::Bytes rest{data + 1, size - 1};
  const auto next = [&rest] {
    const std::uint8_t byte = rest.empty() ? std::uint8_t{0} : rest[0];
    rest = rest.subspan(rest.empty() ? 0 : 1);
    return byte;
  };
  while (!rest.empty()) {
    const std::uint8_t step = next();
    const unsigned what = step & 15;
    const unsigned argument = step >> 4;
    mqboard::Bytes broker_bytes;
    if (what == 13) {
      broker_bytes = fuzz::packet_of_broker(argument, next(), config.version, room);
    } else if (what > 13) {  // as many bytes as the next one tells
      broker_bytes = rest.first(std::min<std::size_t>(next(), rest.size()));
      rest = rest.subspan(broker_bytes.size());
    }
    whole.step(what, argument, broker_bytes);
    pieces.step(what, argument, broker_bytes);
    require(!comparable || whole.log == pieces.log);
  }
  return 0;
}
