#include "board/channel_service.hpp"

#include <algorithm>
#include <cstring>

namespace mqboard::board {

using command::Channel;
using command::RecordKind;
using command::Status;
using command::StatusCode;

// ---- ReplyStream

void ReplyStream::append_file(FileSystem& files, FileId file, std::uint64_t offset, std::uint64_t bytes) {
  files_ = &files;
  file_ = file;
  file_offset_ = offset;
  file_bytes_ = bytes;
}

void ReplyStream::close_file() {
  if (files_ != nullptr) static_cast<void>(files_->close(file_));
  files_ = nullptr;
}

bool ReplyStream::read(std::uint64_t offset, MutableBytes into) {
  const std::uint64_t memory_end = base_ + memory_.size();
  if (offset < base_ || offset > total() || into.size() > total() - offset) return false;
  if (offset < memory_end) {
    const auto at = static_cast<std::size_t>(offset - base_);
    const std::size_t count = std::min(into.size(), memory_.size() - at);
    std::memcpy(into.data(), memory_.data() + at, count);
    into = into.subspan(count);
    offset += count;
  }
  return into.empty() || read_file(file_offset_ + (offset - memory_end), into);
}

bool ReplyStream::read_file(std::uint64_t offset, MutableBytes into) {
  if (!files_->seek(file_, static_cast<std::int64_t>(offset), SeekFrom::start)) return false;
  while (!into.empty()) {
    const auto count = files_->read(file_, into);
    if (!count || *count == 0) return false;  // an error, or the file was cut meanwhile
    into = into.subspan(*count);
  }
  return true;
}

void ReplyStream::release(std::uint64_t offset) {
  if (offset <= base_) return;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(offset - base_, memory_.size()));
  memory_.erase(0, count);
  base_ += count;
}

// ---- Reply

void Reply::record(RecordKind kind, Bytes payload) {
  std::array<std::uint8_t, command::kRecordHeaderBytes> header;
  command::RecordWriter writer(header);
  writer.header(kind, payload.size());
  stream_.append(writer.written());
  stream_.append(payload);
}

void Reply::fields(RecordKind kind, const std::function<void(command::FieldWriter&)>& write) {
  std::array<std::uint8_t, command::kMaxFieldRecord> buffer;
  command::FieldWriter writer(buffer);
  write(writer);
  record(kind, writer.written());
}

void Reply::body(FileSystem& files, FileId file, std::uint64_t offset, std::uint64_t bytes) {
  body("");
  stream_.append_file(files, file, offset, bytes);
}

void Reply::body(std::string_view content) {
  std::array<std::uint8_t, command::kRecordHeaderBytes> header;
  command::RecordWriter writer(header);
  writer.body();
  stream_.append(writer.written());
  stream_.append(as_bytes(content));
}

void Reply::finish(const Status& status) {
  if (!status_) status_ = status;
}

// ---- Session: one channel's operation

class ChannelService::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(ChannelService& service, Slot place) : slot(place), service_(service) {}

  void start() {
    reply.wake_ = [post = service_.env_.post, weak = weak_from_this()] {
      post([weak] {
        if (const auto self = weak.lock()) self->service_.pump(*self);
      });
    };
    // A channel outlives its operation.
    command::ChannelTable& table = service_.table_;
    reply.opener_ = {.session = std::string(table.session(slot)),
                     .heard_at = [&table, at = slot] { return table.channel(at)->heard_at(); },
                     .ask =
                         [this] {
                           service_.table_.channel(slot)->ask();
                           service_.env_.outbox.ready(service_);
                         }};
  }

  void receive(Bytes data, bool ended) {
    while (const auto piece = reader_.next(data)) {
      if (reply.finished()) return;
      if (operation_) {
        operation_->piece(*piece);
      } else {
        begin(*piece);
      }
    }
    if (reply.finished()) return;
    if (reader_.failed() || (ended && (!operation_ || !reader_.at_boundary()))) {
      return reply.finish({StatusCode::malformed, "the request's records are malformed"});
    }
    if (ended) operation_->ended();
  }

  void pump() {
    if (operation_ && !reply.finished()) operation_->pump();
  }

  void cancel() {
    if (reply.finished()) return;
    if (!operation_) return reply.finish({StatusCode::cancelled, ""});
    operation_->cancel(reply);
  }

  // The operation ends; its stream stays until the channel is closed.
  void drop_operation() { operation_.reset(); }

  const Slot slot;
  Reply reply;
  [[nodiscard]] ReplyStream& stream() { return reply.stream_; }
  bool told_end = false;

 private:
  void begin(const command::RecordReader::Piece& piece) {
    if (piece.kind != RecordKind::head) return reply.finish({StatusCode::malformed, "no request"});
    const auto request = command::parse_request(piece.payload);
    if (!request) return reply.finish(request.error());
    Services& services = service_.env_.services;
    operation_ = make_file_operation(*request, services, reply);
    if (!operation_) operation_ = make_python_operation(*request, services, reply);
    if (!operation_) operation_ = make_board_operation(*request, services, reply);
    if (!operation_) {
      reply.finish(
          {StatusCode::unsupported, std::string(command::name(request->operation)) + ": not supported here"});
    }
  }

  ChannelService& service_;
  std::array<std::uint8_t, command::kMaxFieldRecord> scratch_;
  command::RecordReader reader_{scratch_};
  std::unique_ptr<Operation> operation_;
};

bool ChannelService::SlotSource::read(std::uint64_t offset, MutableBytes into) {
  return session && session->stream().read(offset, into);
}

void ChannelService::SlotSource::release(std::uint64_t offset) {
  if (session) session->stream().release(offset);
}

// ---- ChannelService

ChannelService::ChannelService(Environment environment)
    : env_(std::move(environment)),
      table_(env_.epoch, config(), sources()),
      frame_(config().largest_send + command::kFrameOverhead) {}

ChannelService::~ChannelService() { env_.outbox.forget(*this); }

command::ChannelTable::Sources ChannelService::sources() {
  command::ChannelTable::Sources sources{};
  for (std::size_t i = 0; i < slots_.size(); ++i) sources[i] = &slots_[i];
  return sources;
}

bool ChannelService::handle(std::string_view topic, Bytes payload, bool retained) {
  const auto request = command::parse_request_topic(env_.prefix, topic);
  if (!request || request->command != "ch" || request->has_tail) return false;
  if (retained) return true;
  const auto arrival = table_.receive(request->id, payload, env_.now());
  using Kind = command::ChannelTable::Kind;
  switch (arrival.kind) {
    case Kind::nothing:
      return true;
    case Kind::respond: {
      const auto topic_of_reply = command::reply_topic(env_.prefix, command::ReplyKind::channel, request->id);
      env_.outbox.send(std::string(topic_of_reply.view()), std::string(as_text(arrival.response)), false);
      return true;
    }
    case Kind::opened:
      slots_[arrival.slot].session = std::make_shared<Session>(*this, arrival.slot);
      slots_[arrival.slot].session->start();
      break;
    case Kind::traffic:
      break;
  }
  take(arrival.slot, arrival.received);
  return true;
}

void ChannelService::take(Slot slot, const Channel::Received& received) {
  const std::shared_ptr<Session> session = slots_[slot].session;
  if (session && !session->reply.finished()) {
    if (!received.data.empty() || received.ended) session->receive(received.data, received.ended);
    if (received.cancelled) session->cancel();
    session->pump();
  }
  if (Channel* const channel = table_.channel(slot)) channel->consume(received.data.size());
  settle(slot);
  env_.outbox.ready(*this);
  rearm();
}

void ChannelService::pump(Session& session) {
  session.pump();
  settle(session.slot);
  env_.outbox.ready(*this);
  rearm();
}

// Tells the channel what its session has to say by now, and lets go of what is over.
void ChannelService::settle(Slot slot) {
  const std::shared_ptr<Session> session = slots_[slot].session;
  if (!session) return;
  Channel* const channel = table_.channel(slot);
  if (channel == nullptr || channel->closed()) {
    session->drop_operation();
    slots_[slot].session.reset();
    return;
  }
  if (!channel->open() || session->told_end) return;
  channel->supply(session->stream().total());
  if (!session->reply.finished()) return;
  session->told_end = true;
  channel->finish(*session->reply.status());
  session->drop_operation();
}

std::optional<Outgoing> ChannelService::next() {
  const auto out = table_.poll(frame_, env_.now());
  // Polling may find that a peer has been silent for too long.
  for (Slot slot = 0; slot < slots_.size(); ++slot) {
    if (const Channel* channel = table_.channel(slot); channel == nullptr || channel->closed()) settle(slot);
  }
  if (out.bytes == 0) return rearm(), std::nullopt;
  topic_ = command::reply_topic(env_.prefix, command::ReplyKind::channel, table_.session(out.slot));
  return Outgoing{.topic = topic_, .payload = Bytes(frame_).first(out.bytes), .acknowledged = false};
}

void ChannelService::rearm() { env_.wake_at(table_.deadline()); }

void ChannelService::on_timer() { env_.outbox.ready(*this); }

void ChannelService::reconnected() {
  table_.reconnected();
  env_.outbox.ready(*this);
}

std::size_t ChannelService::open_channels() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(slots_, [](const auto& slot) { return slot.session != nullptr; }));
}

}  // namespace mqboard::board
