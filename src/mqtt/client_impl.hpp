// The inside of Client. One object per client, shared by the Client and the coroutines working on its behalf.
//
//   client_connection.cpp  reaching a broker, staying connected, going away
//   client_operations.cpp  publish, subscribe, receive: what coroutines of the application wait in
//   client_v5.cpp          enhanced authentication, redirection
//   client_events.cpp      what the session reports, and the turn that follows everything that happens
//
// A *turn* is one visit of the executor: input is handed to the session, its events to whoever waits, the
// woken coroutines run, and then everything they submitted leaves in one write. Calls from outside a turn ask
// for one.
#pragma once

#include <deque>
#include <mqboard/mqtt/client.hpp>
#include <random>

#include "core/mqtt/session.hpp"
#include "mqtt/link.hpp"
#include "mqtt/message_queue.hpp"
#include "mqtt/pace.hpp"
#include "mqtt/persistence/file_store.hpp"
#include "mqtt/subscriptions.hpp"
#include "mqtt/tls.hpp"
#include "mqtt/waiters.hpp"

namespace mqboard::mqtt {

// An awaited operation: lives in the frame of the coroutine that waits for it.
class Operation {
 public:
  WaitList list;
  std::optional<Error> failure;
  ReasonCode reason = ReasonCode::success;
  std::vector<ReasonCode> codes;  // of SUBACK and UNSUBACK
  bool retry = false;             // the connection was lost: submit it again
};

class Client::Impl final : public LinkOwner, public std::enable_shared_from_this<Client::Impl> {
 public:
  Impl(asio::any_io_executor executor, Options options, std::shared_ptr<TimeSource> time);

  // --- client_connection.cpp
  void start();
  asio::awaitable<Result<Connected>> connect(std::shared_ptr<Impl> self);
  asio::awaitable<void> disconnect(std::shared_ptr<Impl> self);
  void shut_down();  // the Client is gone
  void link_up();
  void link_down();
  [[nodiscard]] bool connected() const { return session_->connected(); }
  [[nodiscard]] std::vector<std::uint8_t> tls_ticket() const {
    return tls_ ? tls_->ticket() : options_.tls.ticket;
  }

  // --- client_operations.cpp
  asio::awaitable<Result<ReasonCode>> publish(std::shared_ptr<Impl> self, std::string_view topic,
                                              Payload payload, PublishOptions options);
  Result<void> try_publish(std::string_view topic, Payload payload, const PublishOptions& options);
  asio::awaitable<Result<void>> reauthenticate(std::shared_ptr<Impl> self, std::chrono::milliseconds timeout);
  asio::awaitable<Result<void>> flush(std::shared_ptr<Impl> self, std::chrono::milliseconds timeout);
  asio::awaitable<Result<std::vector<ReasonCode>>> subscribe(std::shared_ptr<Impl> self,
                                                             std::vector<Subscription> subscriptions,
                                                             SubscribeOptions options);
  asio::awaitable<Result<void>> unsubscribe(std::shared_ptr<Impl> self, std::string_view filter,
                                            SubscribeOptions options);
  asio::awaitable<Result<MessageView>> receive(std::shared_ptr<Impl> self);
  void acknowledge(AckToken token);

  void on_message(std::function<void(const MessageView&)> handler);
  void on_event(std::function<void(const ConnectionEvent&)> handler);
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  static constexpr std::size_t kSlotsForOthers = 16;  // subscribes and unsubscribes under way

  // A publish, subscribe or unsubscribe the session has accepted, by packet identifier.
  struct Slot {
    Operation* waiting = nullptr;
    Token token;
    QoS qos = QoS::at_most_once;
    std::uint64_t sequence = 0;            // of accepted publishes; 0: not a publish
    std::unique_ptr<std::uint8_t[]> lent;  // payload too large for the session's store
    std::size_t lent_bytes = 0;
  };
  struct Flush {
    std::uint64_t upto = 0;  // publishes accepted when it began ...
    std::size_t open = 0;    // ... and not done yet
    Operation operation;
  };
  enum class Goal : std::uint8_t { idle, one_round, stay_connected };

  // --- client_connection.cpp
  asio::awaitable<void> run(std::shared_ptr<Impl> self);
  asio::awaitable<Result<void>> round(std::uint32_t& attempts);
  asio::awaitable<Result<void>> reach(Endpoint endpoint, std::uint32_t& attempts);
  asio::awaitable<Result<void>> attempt(const Endpoint& endpoint);
  asio::awaitable<Result<std::unique_ptr<Transport>>> open_transport(Attempt& attempt,
                                                                     const Endpoint& endpoint);
  asio::awaitable<void> back_off(std::uint32_t failures);
  [[nodiscard]] Millis back_off_delay(std::uint32_t failures);
  Result<void> begin_session();
  Result<Properties> authentication(AuthenticationStep step, Bytes data);
  void end_dialogue(Result<void> outcome);
  void note_redirect(const event::Closed& closed);
  void restore();
  void end_link(Error error);
  void launch(Goal goal);
  void finish_waiting(const Error& error);
  void report(const ConnectionEvent& event);

  // --- client_operations.cpp
  Session::Outcome<Token> submit(std::string_view topic, Payload payload, const PublishOptions& options);
  Session::Outcome<Token> submit_lent(PublishRequest request);
  [[nodiscard]] bool worth_waiting(SessionError error) const;
  [[nodiscard]] Error publish_error(SessionError error, std::string_view topic) const;
  [[nodiscard]] bool refuses_offline() const;
  [[nodiscard]] bool window_full(QoS qos) const;
  bool drop_oldest_qos0();
  // Grows with everything that can make room for a publish.
  [[nodiscard]] std::uint64_t progress() const { return changes_ + statistics_.bytes_sent; }
  void let_next_publish();
  void forget(Token token) { complete(token, ReasonCode::success, std::nullopt); }
  void send_wanted_subscriptions();
  [[nodiscard]] TimePoint deadline_after(std::chrono::milliseconds timeout) const;
  void attach(Token token, Operation& operation);
  Operation* detach(Slot& slot);
  Slot& slot(Token token) { return slots_[token.packet_id()]; }

  // --- client_events.cpp
  void on_session_event(const Event& event) override;
  [[nodiscard]] bool takes_input() const override { return handler_ != nullptr || !queue_.full(); }
  bool commit() override;
  void on_link_lost(Error error) override { end_link(std::move(error)); }
  void before_link_turn() override { turn_coming_ = true; }
  void on_link_turn() override {
    turn_coming_ = false;
    turn();
  }
  std::shared_ptr<void> keep_alive() override { return shared_from_this(); }
  void on(const event::Connected& connected);
  void on(const event::SessionLost& lost);
  void on(const event::Message& message);
  void on(const event::MessageBody& body);
  void on(const event::MessageAborted&);
  void on(const event::Published& published);
  void on(const event::Subscribed& subscribed);
  void on(const event::Unsubscribed& unsubscribed);
  void on(const event::Failed& failed);
  void on(const event::Auth& auth);
  void on(const event::Closed& closed);
  void deliver(const MessageView& message);
  void deliver_queued();
  void complete(Token token, ReasonCode reason, std::optional<Error> failure);
  void finish(Operation& operation);
  void turn();
  void request_turn();
  void drain_events();
  void write_output(Link& link);
  [[nodiscard]] bool may_hold_answers(const Link& link);
  void set_low_water(Link& link);
  void follow_exchange(const Statistics& last, TimePoint now);
  [[nodiscard]] InputPace::Expected expected_acks() const;
  [[nodiscard]] InputPace::Expected expected_like_those_since(const Statistics& last) const;
  [[nodiscard]] TimePoint next_alarm() const;
  void rearm_alarm();
  void on_alarm();

  asio::any_io_executor executor_;
  Options options_;
  std::shared_ptr<TimeSource> time_;
  std::shared_ptr<Waiters> waiters_;
  Statistics statistics_;
  std::shared_ptr<TlsContext> tls_;
  Result<std::unique_ptr<FileStore>> store_;  // null: memory only; an error: the client cannot work
  OwnedSession session_;
  std::vector<Slot> slots_;
  Subscriptions subscriptions_;
  MessageQueue queue_;
  std::vector<std::uint8_t> assembly_;  // a message that arrives in pieces: topic, properties, payload so far
  MessageView assembling_;

  std::shared_ptr<std::function<void(const MessageView&)>> handler_;
  std::shared_ptr<std::function<void(const ConnectionEvent&)>> event_handler_;

  Goal goal_ = Goal::idle;
  bool running_ = false;  // run() is on its way
  bool gone_ = false;     // the Client is destroyed
  bool link_allowed_ = true;
  bool ever_connected_ = false;
  bool up_ = false;  // this link, or the last one, got its CONNACK
  bool in_turn_ = false;
  bool turn_posted_ = false;
  bool turn_coming_ = false;  // the link is taking in what a turn will follow
  bool turn_wanted_ = false;  // by something that happened within a turn
  std::shared_ptr<Link> link_;
  Endpoint endpoint_;                 // of the latest attempt
  std::optional<Endpoint> redirect_;  // where its broker sent us
  std::size_t next_endpoint_ = 0;
  std::optional<Error> link_error_;  // why the last link ended
  Connected last_connected_;
  Result<void> round_outcome_;
  std::minstd_rand random_;

  InputPace input_pace_;
  ExchangePace exchange_;
  AnswerPace answer_pace_;
  Statistics paced_;  // when input_pace_ last looked
  InputPace::Expected expected_messages_;
  std::size_t taken_over_ = 0;  // identifiers of QoS 2 messages, since exchange_ last looked
  bool receives_qos2_ = false;  // the latest message was one

  std::unique_ptr<Alarm> alarm_;
  TimePoint armed_for_ = kNever;

  WaitList attempt_list_;  // the attempt under way
  WaitList link_changed_;  // run() while a link is up: CONNACK, or its end
  WaitList back_off_list_;
  WaitList connect_list_;  // connect() until connected or the round has failed
  WaitList ended_list_;    // disconnect() until run() has ended
  WaitList room_;          // publish() until there is room
  WaitList session_open_;  // unsubscribe() until there is a connection
  WaitList receive_list_;
  std::size_t turns_given_ = 0;              // publishers woken from room_ and not run yet
  std::uint64_t changes_ = 0;                // publishes completed, connections begun and ended
  std::optional<std::uint64_t> no_room_at_;  // progress() when the first in room_ last found none
  std::uint64_t accepted_ = 0;               // publishes, ever
  std::size_t open_publishes_ = 0;           // of these, not done yet
  std::size_t awaited_ = 0;                  // slots somebody waits for
  std::size_t lent_bytes_ = 0;
  std::vector<Flush*> flushes_;
  Operation* reauthentication_ = nullptr;
  std::optional<Error> unattended_;  // the first failure of a publish nobody waited for, for flush()
};

Client make_client(asio::any_io_executor executor, Options options, std::shared_ptr<TimeSource> time);

}  // namespace mqboard::mqtt
