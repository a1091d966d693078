// Operations over v2 channels: one ChannelLink per session carries all of a process's channels, an Operation
// is one of them from request to status.
//
// Frames travel at QoS 0: the channel finds out by itself what got lost, and neither side waits for the
// broker's acknowledgements. While the connection is down nothing is sent; when it is back, every channel
// asks its peer what arrived.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"
#include "core/command/channel.hpp"
#include "core/command/operations.hpp"

namespace mqboard::cli {

class Operation;

class ChannelLink {
 public:
  explicit ChannelLink(Session& session);
  ~ChannelLink();
  ChannelLink(const ChannelLink&) = delete;
  ChannelLink& operator=(const ChannelLink&) = delete;

  [[nodiscard]] Session& session() { return session_; }

 private:
  friend class Operation;

  std::uint32_t add(Operation& operation);
  void remove(std::uint32_t number);
  void received(const mqtt::MessageView& message);
  void board_announced();
  void connection_changed(bool up);
  // Sends what is due and sets the timer for what will be.
  void pump();
  // The same when whoever is adding to a stream has done so: what it adds leaves together.
  void pump_soon();
  // False: no room in the client's buffer; what is in frame_ waits.
  bool send_unsent();
  void set_timer();

  Session& session_;
  command::RequestId id_;
  std::string request_topic_;
  std::uint32_t epoch_;
  std::map<std::uint32_t, Operation*> operations_;
  std::uint32_t next_number_ = 1;
  std::vector<std::uint8_t> frame_;
  bool pump_posted_ = false;
  std::size_t unsent_ = 0;  // bytes of frame_ that found no room in the client's buffer
  asio::steady_timer timer_;
  Session::Subscription replies_;
};

// What the opener of a channel sends: records made here, then perhaps a body borrowed from elsewhere.
class OutgoingStream final : public command::ByteSource {
 public:
  void append(command::RecordKind kind, Bytes payload);
  // The body of the stream: `content` from `offset` on. Nothing can be appended after it.
  void append_body(Bytes content, std::uint64_t offset);
  [[nodiscard]] std::uint64_t total() const { return records_.size() + body_.size(); }

  bool read(std::uint64_t offset, MutableBytes into) override;

 private:
  std::vector<std::uint8_t> records_;
  Bytes body_;
};

// Composes a request's head.
class Head {
 public:
  explicit Head(command::Operation operation);
  Head();  // the opener's second head: no operation
  Head& text(command::Field field, std::string_view value);
  Head& number(command::Field field, std::uint64_t value);
  Head& hash(command::Field field, const Sha256& value);
  Head& flag(command::Field field, bool wanted = true);

 private:
  friend class Operation;
  std::vector<std::uint8_t> buffer_;
  command::FieldWriter fields_;
};

class Operation {
 public:
  using Piece = command::RecordReader::Piece;
  // Takes the acceptor's records; a failure of it ends the operation.
  using Handler = std::function<Result<>(const Piece&)>;

  // Opens a channel with this request. It is sent with what is appended before the next wait.
  Operation(ChannelLink& link, const Head& head, Handler handler);
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  void send(command::RecordKind kind, Bytes payload);
  void send(const Head& head);
  void send_body(Bytes content, std::uint64_t offset);
  // Nothing more will be sent.
  void end();
  void cancel();

  [[nodiscard]] bool closed() const;
  // How it ended; once closed.
  [[nodiscard]] const command::Status& status() const { return channel_.status(); }
  // How much of what was sent the board has.
  [[nodiscard]] std::uint64_t acknowledged_body() const;

  // Waits for the end; ok only when the board says so. `thing` is named where the board's text does not.
  asio::awaitable<Result<>> finished(std::string thing);

 private:
  friend class ChannelLink;

  command::Channel::Identity identity();
  void receive(const command::Frame& frame, TimePoint now);
  void take(Bytes data);

  ChannelLink& link_;
  OutgoingStream outgoing_;
  Handler handler_;
  std::vector<std::uint8_t> scratch_;
  command::RecordReader reader_;
  std::uint64_t body_at_ = 0;  // place in the stream where the body starts
  std::optional<Failure> failure_;
  std::uint32_t number_;
  command::Channel channel_;
};

// The failure a final status means; `thing` is put in front unless the text names it.
[[nodiscard]] Failure status_failure(const command::Status& status, std::string_view thing);

}  // namespace mqboard::cli
