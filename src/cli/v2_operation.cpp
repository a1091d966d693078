#include "cli/v2_operation.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include <fmt/core.h>
#include <boost/asio/post.hpp>

namespace mqboard::cli {

using command::Field;
using command::RecordKind;
using command::StatusCode;

namespace {

constexpr std::uint32_t kFrameBytes = 256U << 10;
constexpr std::uint32_t kWindowBytes = 8U << 20;
constexpr std::size_t kScratchBytes = command::kMaxFieldRecord;
constexpr Millis kRetryAfter{1};  // when the client's buffer is full

TimePoint now() {
  return TimePoint(std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()));
}

std::uint32_t random_epoch() {
  std::random_device device;
  const auto epoch = static_cast<std::uint32_t>(device());
  return epoch != 0 ? epoch : 1;
}

// Silence is probed often enough that a board which lives is heard well within the session's idle time, even
// while a script of its own keeps it busy.
command::ChannelConfig channel_config(const Session& session) {
  command::ChannelConfig config;
  config.window_bytes = kWindowBytes;
  config.largest_receive = kFrameBytes;
  config.largest_send = kFrameBytes;
  const Millis third = std::max<Millis>(session.settings().timeout / 3, Millis(50));
  config.probe_first = std::min(config.probe_first, third);
  config.probe_most = std::min(config.probe_most, third);
  config.keep_alive = std::min(config.keep_alive, third);
  if (session.status().channel_window != 0) config.initial_credit = session.status().channel_window;
  if (session.status().channel_frame != 0) config.initial_largest = session.status().channel_frame;
  return config;
}

}  // namespace

// ---- ChannelLink

ChannelLink::ChannelLink(Session& session)
    : session_(session),
      id_(session.new_request_id()),
      request_topic_(command::request_topic(session.settings().prefix, "ch", id_).view()),
      epoch_(random_epoch()),
      frame_(kFrameBytes + command::kFrameOverhead),
      timer_(session.executor()),
      replies_(session, command::reply_topic(session.settings().prefix, command::ReplyKind::channel, id_),
               mqtt::QoS::at_most_once, [this](const mqtt::MessageView& message) { received(message); }) {
  session.on_connection([this](bool up) { connection_changed(up); });
  session.on_status([this] { board_announced(); });
}

ChannelLink::~ChannelLink() {
  session_.on_connection({});
  session_.on_status({});
}

std::uint32_t ChannelLink::add(Operation& operation) {
  const std::uint32_t number = next_number_++;
  operations_[number] = &operation;
  return number;
}

void ChannelLink::remove(std::uint32_t number) { operations_.erase(number); }

void ChannelLink::received(const mqtt::MessageView& message) {
  const auto frame = command::decode_frame(message.payload);
  if (!frame) return;
  const auto found = operations_.find(frame->channel);
  if (found != operations_.end()) found->second->receive(*frame, now());
  pump();
}

// Another epoch is another life of the board, which knows nothing of our channels.
void ChannelLink::board_announced() {
  for (const auto& [number, operation] : operations_) {
    const std::uint32_t peer = operation->channel_.identity().peer_epoch;
    const std::uint64_t announced = session_.status().session;
    if (peer != 0 && announced != 0 && announced != peer) operation->channel_.peer_restarted(now());
  }
  session_.notify();
}

void ChannelLink::connection_changed(bool up) {
  if (!up) return;
  unsent_ = 0;
  for (const auto& [number, operation] : operations_) operation->channel_.reconnected();
  pump();
}

bool ChannelLink::send_unsent() {
  const bool sent = unsent_ == 0 || session_.try_publish(request_topic_, Bytes(frame_).first(unsent_),
                                                         mqtt::QoS::at_most_once);
  if (sent) unsent_ = 0;
  return sent;
}

// One frame of each channel in turn, so that they share the connection.
void ChannelLink::pump() {
  bool more = session_.connected() && send_unsent();
  while (more) {
    more = false;
    for (const auto& [number, operation] : operations_) {
      unsent_ = operation->channel_.poll(frame_, now());
      if (unsent_ == 0) continue;
      if (!send_unsent()) return set_timer();
      more = true;
    }
  }
  set_timer();
}

void ChannelLink::pump_soon() {
  if (std::exchange(pump_posted_, true)) return;
  asio::post(session_.executor(), [this] {
    pump_posted_ = false;
    pump();
  });
}

void ChannelLink::set_timer() {
  if (!session_.connected()) return;
  TimePoint next = kNever;
  for (const auto& [number, operation] : operations_) next = std::min(next, operation->channel_.deadline());
  if (unsent_ != 0) next = now() + kRetryAfter;
  if (next == kNever) return;
  timer_.expires_at(std::chrono::steady_clock::time_point(next.time_since_epoch()));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) pump();
  });
}

// ---- OutgoingStream

void OutgoingStream::append(RecordKind kind, Bytes payload) {
  const std::size_t at = records_.size();
  records_.resize(at + command::kRecordHeaderBytes + payload.size());
  command::RecordWriter writer(MutableBytes(records_).subspan(at));
  writer.record(kind, payload);
}

void OutgoingStream::append_body(Bytes content, std::uint64_t offset) {
  const std::size_t at = records_.size();
  records_.resize(at + command::kRecordHeaderBytes);
  command::RecordWriter writer(MutableBytes(records_).subspan(at));
  writer.body();
  body_ = content.subspan(static_cast<std::size_t>(offset));
}

bool OutgoingStream::read(std::uint64_t offset, MutableBytes into) {
  if (offset > total() || into.size() > total() - offset) return false;
  auto at = static_cast<std::size_t>(offset);
  if (at < records_.size()) {
    const std::size_t count = std::min(into.size(), records_.size() - at);
    std::memcpy(into.data(), records_.data() + at, count);
    into = into.subspan(count);
    at = records_.size();
  }
  if (!into.empty()) std::memcpy(into.data(), body_.data() + (at - records_.size()), into.size());
  return true;
}

// ---- Head

Head::Head(command::Operation operation) : Head() {
  number(Field::operation, static_cast<std::uint64_t>(operation));
}

Head::Head() : buffer_(command::kMaxFieldRecord), fields_(buffer_) {}

Head& Head::text(Field field, std::string_view value) {
  fields_.text(field, value);
  return *this;
}

Head& Head::number(Field field, std::uint64_t value) {
  fields_.number(field, value);
  return *this;
}

Head& Head::hash(Field field, const Sha256& value) {
  fields_.bytes(field, value);
  return *this;
}

Head& Head::flag(Field field, bool wanted) {
  if (wanted) fields_.flag(field);
  return *this;
}

// ---- Operation

Operation::Operation(ChannelLink& link, const Head& head, Handler handler)
    : link_(link),
      handler_(std::move(handler)),
      scratch_(kScratchBytes),
      reader_(scratch_),
      number_(link.add(*this)),
      channel_(identity(), channel_config(link.session()), outgoing_, now()) {
  send(head);
}

Operation::~Operation() {
  if (!channel_.closed()) {
    channel_.abort({StatusCode::cancelled, ""});
    link_.pump();
  }
  link_.remove(number_);
}

command::Channel::Identity Operation::identity() {
  return {.role = command::Channel::Role::opener,
          .number = number_,
          .local_epoch = link_.epoch_,
          .peer_epoch = static_cast<std::uint32_t>(link_.session_.status().session)};
}

void Operation::send(RecordKind kind, Bytes payload) {
  outgoing_.append(kind, payload);
  channel_.supply(outgoing_.total());
  link_.pump_soon();
}

void Operation::send(const Head& head) {
  if (head.fields_.failed()) {
    failure_ = {ExitStatus::usage, "the request is too long"};
    return;
  }
  send(RecordKind::head, head.fields_.written());
}

void Operation::send_body(Bytes content, std::uint64_t offset) {
  outgoing_.append_body(content, offset);
  body_at_ = outgoing_.total() - (content.size() - offset);
  channel_.supply(outgoing_.total());
  end();
}

void Operation::end() {
  channel_.end();
  link_.pump_soon();
}

void Operation::cancel() {
  channel_.cancel();
  link_.pump_soon();
}

bool Operation::closed() const { return failure_ || channel_.closed(); }

std::uint64_t Operation::acknowledged_body() const {
  const std::uint64_t body_bytes = outgoing_.total() - body_at_;
  if (body_at_ == 0 || channel_.acknowledged() <= body_at_) return 0;
  return std::min(channel_.acknowledged() - body_at_, body_bytes);
}

void Operation::receive(const command::Frame& frame, TimePoint time) {
  const command::Channel::Received received = channel_.receive(frame, time);
  take(received.data);
  channel_.consume(received.data.size());
}

void Operation::take(Bytes data) {
  while (!failure_) {  // also without data: a record without payload is complete with its header
    const auto piece = reader_.next(data);
    if (!piece) break;
    if (auto ok = handler_ ? handler_(*piece) : Result<>{}; !ok) failure_ = std::move(ok.error());
  }
  if (reader_.failed() && !failure_) {
    failure_ = {ExitStatus::integrity, "the board's answer makes no sense"};
  }
  if (failure_ && !channel_.closed()) channel_.abort({StatusCode::cancelled, ""});
}

asio::awaitable<Result<>> Operation::finished(std::string thing) {
  if (auto ok = co_await link_.session_.until([this] { return closed(); }); !ok) co_return ok;
  if (failure_) co_return std::unexpected(*failure_);
  if (!channel_.status().ok()) co_return std::unexpected(status_failure(channel_.status(), thing));
  co_return Result<>{};
}

Failure status_failure(const command::Status& status, std::string_view thing) {
  const std::string_view text = status.text.empty() ? name(status.code) : status.text.view();
  const bool named = text.find(thing) != std::string_view::npos;
  std::string message = named ? std::string(text) : fmt::format("{}: {}", thing, text);
  const bool gone = status.code == StatusCode::lost || status.code == StatusCode::timed_out;
  const ExitStatus exit = gone                                   ? ExitStatus::no_answer
                          : status.code == StatusCode::integrity ? ExitStatus::integrity
                                                                 : ExitStatus::board_error;
  return {exit, std::move(message), std::string(name(status.code))};
}

}  // namespace mqboard::cli
