// Fuzzes the MQTT session with an arbitrary broker and an arbitrary application. Two sessions live the same
// life; one gets the broker's bytes in one piece, the other in small ones. They must keep their invariants
// and never run out of the limits they were given. Unless a link check makes it count whether a byte came
// before or after something was sent, they must also report the same events and send the same bytes.
//
// Input: one byte of configuration, then steps. A step is one byte: low nibble what, high nibble an argument.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/mqtt/session.hpp"
#include "core/mqtt/testing/packet_text.hpp"

namespace mqboard::mqtt {
namespace {

using testing::Buffer;

void require(bool condition) {
  if (!condition) std::abort();
}

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

class Life {
 public:
  Life(unsigned choice, bool in_pieces) : session_(kLimits, config_of(choice)), in_pieces_(in_pieces) {}

  void step(unsigned what, unsigned argument, Bytes broker_bytes) {
    switch (what) {
      case 0:
        connect(argument);
        break;
      case 1:
        lose();
        break;
      case 2:
      case 3:
        publish(argument, what == 3);
        break;
      case 4:
        subscribe(argument);
        break;
      case 5:
        session_->sent(take(argument * 16 + 1), now_);
        break;
      case 6:
        now_ += Millis{argument * argument * 100}, session_->tick(now_);
        break;
      case 7:
        acknowledge(argument);
        break;
      case 8:
        static_cast<void>(session_->disconnect(ReasonCode::success, {}, now_));
        break;
      case 9:
        session_->pause_input((argument & 1) != 0, now_);
        break;
      case 10:
        authenticate(argument);
        break;
      case 11:
        session_->cancel(Token{0x10000u * (argument >> 2) + (argument & 3) + 1});
        break;
      default:
        waiting_.insert(waiting_.end(), broker_bytes.begin(), broker_bytes.end());
        break;
    }
    poll();
    require(session_->invariants_hold());
    require(session_->next_deadline() > now_ || session_->has_outgoing() || !log.empty());
  }

  std::string log;

 private:
  void connect(unsigned argument) {
    ConnectOptions options{
        .clean_start = (argument & 1) != 0, .client_id = "c", .pipeline = (argument & 2) != 0};
    const std::uint8_t method[] = {0x15, 0, 1, 'm'};
    if ((argument & 4) != 0) options.properties = PropertyView{method};
    options.session_expiry_s = (argument & 8) != 0 ? 100 : 0;
    options.adopt_session = (argument & 8) != 0;
    note(session_->connect(options, now_).has_value());
  }
  void lose() {
    session_->transport_lost(now_);
    waiting_.clear();
    sent_ = 0;
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
  void authenticate(unsigned argument) {
    const std::uint8_t method[] = {0x15, 0, 1, 'm'};
    const ReasonCode reason =
        (argument & 1) != 0 ? ReasonCode::reauthenticate : ReasonCode::continue_authentication;
    note(session_->authenticate(reason, PropertyView{method}, now_).has_value());
  }
  void acknowledge(unsigned argument) {
    AckHandle handle = last_ack_;
    if ((argument & 4) != 0) handle.packet_id = static_cast<std::uint16_t>(argument & 3);
    note(session_->acknowledge(handle, (argument & 8) != 0 ? ReasonCode::quota_exceeded : ReasonCode::success,
                               now_));
  }

  // The transport takes up to `limit` bytes, which go into the log.
  std::size_t take(std::size_t limit) {
    Bytes list[3];
    std::size_t taken = 0;
    for (std::size_t i = 0, used = session_->outgoing(list); i < used && taken < limit; ++i) {
      const Bytes piece = list[i].first(std::min(list[i].size(), limit - taken));
      sent_ += piece.size();
      taken += piece.size();
      log += as_text(piece);
    }
    return taken;
  }

  void poll() {
    if (in_pieces_) {
      Buffer input;
      Buffer all = std::exchange(waiting_, {});
      for (std::size_t at = 0; at < all.size(); ++at) {
        input.push_back(all[at]);
        drain(input);
      }
      waiting_ = std::move(input);
    }
    drain(waiting_);
  }
  void drain(Buffer& input) {
    Bytes rest{input};
    while (const auto event = session_->poll(rest, now_)) note(*event);
    input.erase(input.begin(), input.end() - static_cast<std::ptrdiff_t>(rest.size()));
  }

  void note(bool value) { log += value ? "+" : "-"; }
  void note(const Session::Outcome<Token>& token) {
    log += token ? "#" + std::to_string(token->value) : std::string(describe(token.error()));
  }
  void note(const Event& event) {
    if (const auto* message = std::get_if<event::Message>(&event)) {
      last_ack_ = message->ack;
      log += "\nm " + std::string(message->topic) + " " + std::to_string(message->payload_bytes) + " " +
             std::to_string(static_cast<int>(message->qos)) + (message->dup ? "d" : "") +
             (message->retain ? "r " : " ");
      log += as_text(message->properties.encoded());
      log += as_text(message->payload);
    } else if (const auto* body = std::get_if<event::MessageBody>(&event)) {
      log += as_text(body->payload);
    } else {
      log += "\n" + testing::event_text(event);
    }
  }

  OwnedSession session_;
  bool in_pieces_;
  TimePoint now_{Millis{1000}};
  Buffer waiting_;
  std::size_t sent_ = 0;
  AckHandle last_ack_;
};

}  // namespace
}  // namespace mqboard::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mqboard::mqtt;
  if (size < 2) return 0;
  Life whole{data[0], false};
  Life pieces{data[0], true};
  const bool comparable = config_of(data[0]).link_check != LinkCheck::after_sending;
  mqboard::Bytes rest{data + 1, size - 1};
  while (!rest.empty()) {
    const unsigned what = rest[0] & 15;
    const unsigned argument = rest[0] >> 4;
    rest = rest.subspan(1);
    mqboard::Bytes broker_bytes;
    if (what >= 12) {  // the broker says: as many bytes as the next byte tells
      const std::size_t count = rest.empty() ? 0 : std::min<std::size_t>(rest[0], rest.size() - 1);
      broker_bytes = rest.empty() ? rest : rest.subspan(1, count);
      rest = rest.subspan(rest.empty() ? 0 : 1 + count);
    }
    whole.step(what, argument, broker_bytes);
    pieces.step(what, argument, broker_bytes);
    require(!comparable || whole.log == pieces.log);
  }
  return 0;
}
