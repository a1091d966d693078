#include <algorithm>
#include <bit>
#include <boost/asio/post.hpp>
#include <utility>

#include "mqtt/client_impl.hpp"

namespace mqboard::mqtt {
namespace {

constexpr std::size_t kTogether = 32;        // more save little, and make the last of them late
constexpr std::size_t kLargeMessage = 4096;  // worth its own wake-up

Errc errc_of_refusal(ReasonCode reason) {
  switch (reason) {
    case ReasonCode::unsupported_protocol_version:
      return Errc::bad_protocol_version;
    case ReasonCode::client_identifier_not_valid:
      return Errc::client_id_rejected;
    case ReasonCode::bad_user_name_or_password:
      return Errc::bad_user_name_or_password;
    case ReasonCode::not_authorized:
      return Errc::not_authorized;
    case ReasonCode::server_unavailable:
    case ReasonCode::server_busy:
      return Errc::server_unavailable;
    case ReasonCode::banned:
      return Errc::banned;
    case ReasonCode::use_another_server:
    case ReasonCode::server_moved:
      return Errc::server_moved;
    default:
      return Errc::connect_rejected;
  }
}

Errc errc_of_disconnect(ReasonCode reason) {
  switch (reason) {
    case ReasonCode::session_taken_over:
      return Errc::session_taken_over;
    case ReasonCode::server_shutting_down:
      return Errc::server_shutting_down;
    case ReasonCode::use_another_server:
    case ReasonCode::server_moved:
      return Errc::server_moved;
    case ReasonCode::not_authorized:
      return Errc::not_authorized;
    default:
      return Errc::disconnected_by_server;
  }
}

// What the broker said, with whatever text and pointer it added.
Error said_by_server(Errc errc, const event::Closed& closed) {
  std::string detail(describe(closed.reason));
  if (errc == Errc::connect_rejected) detail = "connection rejected: " + detail;
  if (errc == Errc::disconnected_by_server) detail = "broker ended the connection: " + detail;
  for (const PropertyId id : {PropertyId::reason_string, PropertyId::server_reference}) {
    if (const auto text = closed.properties.text(id)) detail += ": " + std::string(*text);
  }
  return {errc, std::move(detail)};
}

Error error_of(const event::Closed& closed) {
  switch (closed.cause) {
    case CloseCause::refused:
      return said_by_server(errc_of_refusal(closed.reason), closed);
    case CloseCause::server:
      return said_by_server(errc_of_disconnect(closed.reason), closed);
    case CloseCause::client:
      return {Errc::cancelled};
    case CloseCause::response_timeout:
    case CloseCause::stalled:
      return {Errc::response_timeout};
    case CloseCause::violation:
      return {Errc::protocol_error,
              "broker violated the protocol: " + std::string(info(closed.violation).what) + " [" +
                  std::string(info(closed.violation).clause) + "]"};
    case CloseCause::session_mismatch:
      return {Errc::protocol_error, "broker resumed a session we do not have [MQTT-3.2.2-4]"};
    case CloseCause::persistence_failed:
      return {Errc::storage_failed};
  }
  return {Errc::protocol_error};
}

Error error_of(Failure why) {
  switch (why) {
    case Failure::session_lost:
      return {Errc::session_lost};
    case Failure::dropped:
      return {Errc::queue_full, "dropped to make room for a newer message"};
    case Failure::packet_too_large:
      return {Errc::too_large, std::string(describe(why))};
    case Failure::not_supported:
      return {Errc::rejected, std::string(describe(why))};
    case Failure::connection_lost:
      break;
  }
  return {Errc::connection_reset};
}

}  // namespace

void Client::Impl::on_session_event(const Event& event) {
  std::visit([this](const auto& kind) { on(kind); }, event);
}

// --- The connection

void Client::Impl::on(const event::Connected& connected) {
  const auto final_data = connected.properties.binary(PropertyId::authentication_data);
  const auto trusted = authentication(AuthenticationStep::success, final_data.value_or(Bytes{}));
  if (!trusted) return end_link(trusted.error());
  up_ = ever_connected_ = true;
  ++changes_;
  link_error_.reset();
  ++statistics_.connections;
  last_connected_.session_present = connected.session_present;
  if (const auto assigned = connected.properties.text(PropertyId::assigned_client_identifier)) {
    options_.client_id = *assigned;  // the next connection resumes under the name we were given
    last_connected_.client_id = *assigned;
  }
  if (!connected.session_present) subscriptions_.on_session_absent();
  send_wanted_subscriptions();  // ahead of the publishes that waited
  waiters_->wake_all(link_changed_);
  waiters_->wake_all(connect_list_);
  waiters_->wake_all(session_open_);
  report(last_connected_);
}

void Client::Impl::on(const event::SessionLost& lost) { report(SessionLost{lost.republished}); }

void Client::Impl::on(const event::Closed& closed) {
  note_redirect(closed);
  end_link(error_of(closed));
}

// --- Messages

void Client::Impl::on(const event::Message& message) {
  const MessageView view{.topic = message.topic,
                         .payload = message.payload,
                         .qos = message.qos,
                         .retained = message.retain,
                         .duplicate = message.dup,
                         .properties = message.properties,
                         .ack = {message.ack.packet_id, message.ack.connection}};
  if (message.complete()) return deliver(view);
  const Bytes properties = message.properties.encoded();
  assembly_.assign(message.topic.begin(), message.topic.end());
  assembly_.insert(assembly_.end(), properties.begin(), properties.end());
  assembly_.insert(assembly_.end(), message.payload.begin(), message.payload.end());
  assembling_ = view;
}

void Client::Impl::on(const event::MessageBody& body) {
  assembly_.insert(assembly_.end(), body.payload.begin(), body.payload.end());
  if (!body.last) return;
  const std::span<const std::uint8_t> all(assembly_);
  const std::size_t topic_bytes = assembling_.topic.size();
  const std::size_t property_bytes = assembling_.properties.encoded().size();
  assembling_.topic = as_text(all.first(topic_bytes));
  assembling_.properties = PropertyView(all.subspan(topic_bytes, property_bytes));
  assembling_.payload = all.subspan(topic_bytes + property_bytes);
  deliver(assembling_);
  assembly_ = {};  // large messages are rare: give the memory back
}

void Client::Impl::on(const event::MessageAborted&) { assembly_ = {}; }

void Client::Impl::deliver(const MessageView& message) {
  ++statistics_.messages_received;
  receives_qos2_ = message.qos == QoS::exactly_once;
  if (const auto handler = handler_) {
    (*handler)(message);
    if (!options_.manual_acknowledge && !gone_) acknowledge(message.ack);
    return;
  }
  queue_.push(message);
  waiters_->wake_one(receive_list_);
}

// --- Operations

void Client::Impl::on(const event::Published& published) {
  std::optional<Error> failure;
  if (is_failure(published.reason)) {
    failure =
        Error(Errc::rejected, "broker rejected the message: " + std::string(describe(published.reason)));
  }
  complete(published.token, published.reason, std::move(failure));
}

void Client::Impl::on(const event::Subscribed& subscribed) {
  Operation* const waiting = subscriptions_.settle(subscribed.token, subscribed.reason_codes);
  if (waiting == nullptr) return;
  for (const std::uint8_t code : subscribed.reason_codes)
    waiting->codes.push_back(static_cast<ReasonCode>(code));
  finish(*waiting);
}

void Client::Impl::on(const event::Unsubscribed& unsubscribed) {
  Operation* const waiting = detach(slot(unsubscribed.token));
  if (waiting == nullptr) return;
  for (const std::uint8_t code : unsubscribed.reason_codes)
    waiting->codes.push_back(static_cast<ReasonCode>(code));
  finish(*waiting);
}

void Client::Impl::on(const event::Failed& failed) {
  if (failed.why == Failure::dropped) ++statistics_.messages_dropped;
  Slot& failing = slot(failed.token);
  if (failing.sequence != 0)
    return complete(failed.token, ReasonCode::unspecified_error, error_of(failed.why));
  // An UNSUBSCRIBE asks again on the next connection; a SUBSCRIBE is looked after by subscriptions_.
  if (Operation* const waiting = detach(failing)) {
    waiting->retry = true;
    finish(*waiting);
  }
}

void Client::Impl::complete(Token token, ReasonCode reason, std::optional<Error> failure) {
  Slot& done = slot(token);
  ++changes_;
  const std::uint64_t sequence = std::exchange(done.sequence, 0);
  if (sequence != 0) --open_publishes_;
  lent_bytes_ -= std::exchange(done.lent_bytes, 0);
  done.lent.reset();
  Operation* const waiting = detach(done);
  if (waiting != nullptr) {
    waiting->reason = reason;
    waiting->failure = std::move(failure);
    finish(*waiting);
  } else if (failure && sequence != 0 && !unattended_) {
    unattended_ = std::move(failure);
  }
  for (Flush* const flush : flushes_) {
    if (sequence != 0 && sequence <= flush->upto && --flush->open == 0) finish(flush->operation);
  }
}

void Client::Impl::finish(Operation& operation) {
  waiters_->wake_all(operation.list);
  request_turn();
}

// --- Turns

void Client::Impl::request_turn() {
  if (in_turn_) {
    turn_wanted_ = true;
    return;
  }
  if (turn_posted_ || turn_coming_) return;
  turn_posted_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    self->turn_posted_ = false;
    self->turn();
  });
}

void Client::Impl::drain_events() {
  if (const auto link = link_) return link->pump_input();
  Bytes nothing;
  while (const auto event = session_->poll(nothing, time_->now())) on_session_event(*event);
}

void Client::Impl::turn() {
  if (in_turn_) return;
  struct Guard {
    Impl& impl;
    explicit Guard(Impl& self) : impl(self) { impl.in_turn_ = true; }
    ~Guard() { impl.in_turn_ = false; }
  };
  const auto alive = shared_from_this();
  {
    const Guard guard(*this);
    while (handler_ && !queue_.empty()) deliver_queued();
    drain_events();
    send_wanted_subscriptions();
    let_next_publish();
    waiters_->resume_woken();
    turn_wanted_ = false;
    if (const auto link = link_) write_output(*link);
    if (store_ && *store_ && (*store_)->owes_commit() && !gone_) commit();  // what cannot go out now
    drain_events();
    let_next_publish();  // QoS 0 messages just written made room, and no answer will come to say so
    if (const auto link = link_) set_low_water(*link);
  }
  if (gone_) return;
  if (turn_wanted_ || waiters_->any_woken()) request_turn();
  rearm_alarm();
}

void Client::Impl::write_output(Link& link) {
  if (!may_hold_answers(link)) link.pump_output();
}

// Whether all that waits to be written are acknowledgements that may wait for more of them.
bool Client::Impl::may_hold_answers(const Link& link) {
  const std::size_t answers = session_->deferrable_bytes() / kAckBytes;
  const bool come_together = receives_qos2_ && exchange_.dense();
  if (answers == 0 || come_together || open_publishes_ != 0 || !connected() || !link.output_idle()) {
    answer_pace_.release();
    return false;
  }
  const std::size_t most = std::min(kTogether, std::size_t{options_.receive_maximum} / 4);
  return answer_pace_.hold(answers, most, time_->now());
}

void Client::Impl::set_low_water(Link& link) {
  const Statistics last = std::exchange(paced_, statistics_);
  const TimePoint now = time_->now();
  const bool has_read = statistics_.reads != last.reads;
  follow_exchange(last, now);
  const bool alone = awaited_ == 0 && flushes_.empty() && connected() && link.output_idle();
  const bool receives = open_publishes_ == 0 && statistics_.messages_published == last.messages_published;
  if (alone && receives && receives_qos2_) {
    input_pace_.stop();
    return link.set_low_water(exchange_.low_water(has_read, now));
  }
  exchange_.stop();
  InputPace::Expected expected;
  if (alone && turns_given_ == 0 && !room_.empty()) {
    expected = expected_acks();
  } else if (alone && receives) {
    if (has_read) expected_messages_ = expected_like_those_since(last);
    expected = expected_messages_;
  }
  link.set_low_water(input_pace_.low_water(expected, has_read, now));
}

// While all that anybody waits for is room in the window, a quarter of the acknowledgements under way may
// come together. Each message on the wire is owed one whatever its QoS, so that much will come.
InputPace::Expected Client::Impl::expected_acks() const {
  if (!subscriptions_.entries().empty() || !receive_list_.empty() || handler_) return {};
  const std::size_t granted = session_->negotiated().receive_maximum;
  const std::size_t under_way = std::min<std::size_t>({open_publishes_, options_.send_window, granted});
  return {std::max<std::size_t>(under_way / 4, 1), kAckBytes};
}

void Client::Impl::follow_exchange(const Statistics& last, TimePoint now) {
  if (!receives_qos2_) return;
  exchange_.read({.messages = statistics_.messages_received - last.messages_received,
                  .bytes = statistics_.bytes_received - last.bytes_received,
                  .taken = std::exchange(taken_over_, 0),
                  .unreleased = session_->unreleased()},
                 now);
  if (session_->deferrable_bytes() == 0) exchange_.written();
}

// A client that only receives: messages like the latest.
InputPace::Expected Client::Impl::expected_like_those_since(const Statistics& last) const {
  const std::uint64_t messages = statistics_.messages_received - last.messages_received;
  if (messages == 0) return {};
  const std::uint64_t bytes_each = (statistics_.bytes_received - last.bytes_received) / messages;
  if (bytes_each > kLargeMessage) return {};
  // Not with every byte of difference: setting the mark is a system call.
  return {kTogether, std::bit_floor(std::max<std::size_t>(bytes_each, 1))};
}

void Client::Impl::deliver_queued() {
  const auto handler = handler_;
  const MessageView message = queue_.take();
  (*handler)(message);
  if (!options_.manual_acknowledge && !gone_) acknowledge(message.ack);
}

TimePoint Client::Impl::next_alarm() const {
  return std::min(
      {session_->next_deadline(), input_pace_.deadline(), exchange_.deadline(), answer_pace_.deadline()});
}

// An alarm that rings too early is cheaper than moving it with every turn.
void Client::Impl::rearm_alarm() {
  if (!link_) {
    if (alarm_) alarm_->cancel();
    armed_for_ = kNever;
    // The next may be another broker, or a worse way to this one.
    input_pace_ = InputPace(options_.coalesce);
    answer_pace_ = AnswerPace(options_.coalesce);
    exchange_ = ExchangePace(options_.coalesce);
  } else if (const TimePoint next = next_alarm(); next < armed_for_) {
    armed_for_ = next;
    alarm_->set(next);
  }
}

void Client::Impl::on_alarm() {
  if (gone_) return;
  armed_for_ = kNever;
  const TimePoint now = time_->now();
  if (now < next_alarm()) return rearm_alarm();
  before_link_turn();
  const std::uint64_t reads_before = statistics_.reads;
  if (const auto link = link_) link->read_now();  // an answer may lie below the low-water mark
  const bool found = statistics_.reads != reads_before;
  if (input_pace_.deadline() <= now) input_pace_.looked(found);
  if (exchange_.deadline() <= now) exchange_.looked(found);
  if (answer_pace_.deadline() <= now) {
    answer_pace_.expire();
    if (const auto link = link_) link->pump_output();
  }
  session_->tick(now);
  on_link_turn();
}

}  // namespace mqboard::mqtt
