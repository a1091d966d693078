#include "board/v1_service.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "board/log_levels.hpp"
#include "board/text.hpp"

namespace mqboard::board {

using command::ReplyKind;
using command::Status;
namespace v1 = command::v1;

namespace {

std::string error_text(std::string_view command, std::string_view path, const Status& status) {
  return std::string(v1::operation_error(command, path, status).view());
}

}  // namespace

// What a stream of the assembler is doing.
class V1Service::Transfer {
 public:
  virtual ~Transfer() = default;
  // The first message and every further one. May destroy this transfer, through finish() or fail().
  virtual void message(const Admission& admission) = 0;
  // It goes on by itself, without further messages.
  [[nodiscard]] virtual bool sends() const { return false; }
};

// Collects the source of an eval that comes in several messages.
class V1Service::Source final : public Transfer {
 public:
  explicit Source(V1Service& service) : service_(service) {}
  ~Source() override { service_.source_bytes_ -= source_.size(); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  void message(const Admission& admission) override {
    if (admission.data.size() > kMaxSourceBytes - service_.source_bytes_) {
      return service_.fail(admission.stream,
                           "eval: too much source is waiting: interrupt the board, or try later");
    }
    service_.source_bytes_ += admission.data.size();
    source_.append(as_text(admission.data));
    if (!admission.header.last) return;
    service_.source_bytes_ -= source_.size();
    service_.run(admission.stream, std::exchange(source_, {}));
  }

 private:
  V1Service& service_;
  std::string source_;
};

class V1Service::Put final : public Transfer {
 public:
  Put(V1Service& service, std::string_view path)
      : service_(service),
        path_(path),
        file_(std::make_unique<command::FileSink>(service.env_.services.files, service.env_.services.hasher,
                                                  scratch_)),
        receiver_(std::in_place, *file_) {}
  Put(V1Service& service, std::string_view name, Stream stream)
      : service_(service), command_("ota"), path_(name), stream_(stream), heard_at_(service.now_) {}

  Status open() { return file_->create(path_, ++service_.unique_); }
  Status open_update(const Sha256& image) {
    UpdateOperator installer{
        .who = concat("v1 request ", service_.assembler_.id(stream_)),
        .heard_at = [this] { return heard_at_; },
        .ask = {},
        .displaced = [this](const Status& why) { service_.fail(stream_, error_text(command_, "", why)); }};
    auto update = service_.env_.services.updates->open(image, std::move(installer));
    if (!update) return update.error();
    update_ = std::move(*update);
    receiver_.emplace(*update_);
    return {};
  }

  void message(const Admission& admission) override {
    heard_at_ = service_.now_;
    const auto step = receiver_->message(admission);
    bytes_ += admission.data.size();
    if (!step.status.ok()) {
      return service_.fail(admission.stream, error_text(command_, path_, step.status));
    }
    // A small put is answered once, as the original does. Whoever paces itself waits for a later number.
    const bool wanted = step.finished || command_ == "ota" || admission.header.sequence != 0;
    if (!step.reply.empty() && wanted) {
      service_.reply(ReplyKind::out, service_.assembler_.id(admission.stream), as_text(step.reply));
    }
    if (!step.finished) return;
    service_.env_.services.report(kInfo, concat(command_, " ", path_, ": ", bytes_, " bytes"));
    service_.finish(admission.stream, step.reply);
  }

 private:
  V1Service& service_;
  std::string_view command_ = "put";
  std::string path_;
  Stream stream_ = 0;
  TimePoint heard_at_{};
  std::uint64_t bytes_ = 0;
  std::array<std::uint8_t, 4096> scratch_;
  std::unique_ptr<command::FileSink> file_;
  std::unique_ptr<UpdateSink> update_;
  std::optional<v1::PutReceiver> receiver_;
};

class V1Service::Get final : public Transfer, public MessageSource {
 public:
  Get(V1Service& service, Stream stream, std::string_view path)
      : service_(service),
        stream_(stream),
        path_(path),
        topic_(command::reply_topic(service.env_.prefix, ReplyKind::out, service.assembler_.id(stream))),
        sender_(service.env_.services.files) {}
  ~Get() override { service_.env_.outbox.forget(*this); }
  Get(const Get&) = delete;
  Get& operator=(const Get&) = delete;

  Status open() { return sender_.open(path_); }

  void message(const Admission&) override {
    const auto info = service_.env_.services.files.stat(path_);
    buffer_.resize(v1::kHeaderBytes + chunk_bytes(info ? info->size_bytes : 0));
    service_.env_.outbox.ready(*this);
  }

  [[nodiscard]] bool sends() const override { return true; }

  std::optional<Outgoing> next() override {
    if (sender_.finished()) return service_.finish(stream_, {}), std::nullopt;
    const auto message = sender_.next(buffer_);
    if (message) return Outgoing{topic_, *message};
    return service_.fail(stream_, error_text("get", path_, message.error())), std::nullopt;
  }

 private:
  // The wire has no flow control here, and mosquitto drops what exceeds 1000 messages waiting for a slow
  // reader: so a file leaves in at most kMostMessages, whatever its size.
  static std::size_t chunk_bytes(std::uint64_t file_bytes) {
    constexpr std::uint64_t kMostMessages = 600;
    constexpr std::uint64_t kLargest = 256 * 1024;
    return static_cast<std::size_t>(
        std::clamp<std::uint64_t>(file_bytes / kMostMessages + 1, v1::kReplyChunk, kLargest));
  }

  V1Service& service_;
  const Stream stream_;
  std::string path_;
  command::Topic topic_;
  v1::GetSender sender_;
  std::vector<std::uint8_t> buffer_;
};

// An eval from the moment Python has its source. Outlives its stream, so that code that never ends does not
// keep requests out.
class V1Service::Eval final : public MessageSource, public std::enable_shared_from_this<Eval> {
 public:
  Eval(V1Service& service, Stream stream, std::size_t source_bytes)
      : service_(service),
        stream_(stream),
        source_bytes_(source_bytes),
        id_(service.assembler_.id(stream)),
        topic_(command::reply_topic(service.env_.prefix, ReplyKind::out, id_)),
        buffer_(v1::kHeaderBytes + kReplyBytes),
        reply_(buffer_) {}
  ~Eval() {
    if (pipe_) pipe_->close();
    service_.env_.outbox.forget(*this);
  }
  Eval(const Eval&) = delete;
  Eval& operator=(const Eval&) = delete;

  void start(std::string source) {
    pipe_ = std::make_shared<OutputPipe>(kReplyBytes, [post = service_.env_.post, weak = weak_from_this()] {
      post([weak] {
        if (const auto self = weak.lock()) self->service_.env_.outbox.ready(*self);
      });
    });
    service_.env_.services.interpreter.eval(std::move(source), pipe_);
  }

  std::optional<Outgoing> next() override {
    if (reply_.finished() || failed_) return service_.ended(*this), std::nullopt;
    const bool full = fill();
    if (full || (live_ && reply_.has_output())) return out(reply_.flush());
    if (!end_) return std::nullopt;
    return succeeded() ? out(reply_.finish()) : error();
  }

  void tick(TimePoint now) {
    live_ = reply_.has_output() && ++ticks_with_output_ > 1;
    if (!pipe_->blocked()) stuck_since_ = now;
    if (now - stuck_since_ >= kStuckAfter) {
      pipe_->close();
      lost_ = true;
    }
    if (live_ || lost_) service_.env_.outbox.ready(*this);
  }

  [[nodiscard]] Stream stream() const { return stream_; }
  [[nodiscard]] std::size_t source_bytes() const { return source_bytes_; }
  [[nodiscard]] Bytes last_message() const { return last_; }
  [[nodiscard]] bool is_of(std::string_view request) const { return id_ == request; }
  [[nodiscard]] bool answered_at_once() const { return reply_.finished() && !reply_.streamed(); }

 private:
  // Moves output into the reply; true when the reply is full and there is more.
  bool fill() {
    auto outcome = end_ ? std::nullopt : pipe_->outcome();  // before reading: what follows it is all there is
    while (true) {
      if (carry_.empty()) {
        carry_.resize(4096);
        carry_.resize(pipe_->read({reinterpret_cast<std::uint8_t*>(carry_.data()), carry_.size()}));
      }
      if (carry_.empty()) break;
      carry_.erase(0, reply_.append(as_bytes(carry_)));
      if (!carry_.empty()) return true;
    }
    if (!outcome) return false;
    end_ = std::move(outcome);
    if (!succeeded()) return false;
    if (end_->status == python::Outcome::Status::ok) carry_ = std::exchange(end_->text, {});
    carry_.erase(0, reply_.append(as_bytes(carry_)));
    return !carry_.empty();
  }

  // SystemExit ends code that asked for a reset, among others: no failure.
  [[nodiscard]] bool succeeded() const {
    return !lost_ &&
           (end_->status == python::Outcome::Status::ok || end_->status == python::Outcome::Status::exited);
  }

  std::optional<Outgoing> out(Bytes message) {
    live_ = false;
    ticks_with_output_ = 0;
    last_ = message;
    return Outgoing{topic_, message};
  }

  // What was printed before the exception, then the traceback.
  std::optional<Outgoing> error() {
    if (reply_.has_output()) return out(reply_.flush());
    failed_ = true;
    if (end_->text.size() > kReplyBytes) end_->text.resize(kReplyBytes);
    if (lost_) end_->text += "\nThe connection was too slow for the output: some of it is lost\n";
    error_topic_ = command::reply_topic(service_.env_.prefix, ReplyKind::err, id_);
    return Outgoing{error_topic_, as_bytes(end_->text)};
  }

  V1Service& service_;
  const Stream stream_;
  const std::size_t source_bytes_;
  const command::RequestId id_;
  const command::Topic topic_;
  command::Topic error_topic_;
  std::vector<std::uint8_t> buffer_;
  v1::EvalReply reply_;
  std::shared_ptr<OutputPipe> pipe_;
  std::string carry_;
  std::optional<python::Outcome> end_;
  Bytes last_;
  TimePoint stuck_since_{};
  unsigned ticks_with_output_ = 0;
  bool live_ = false;
  bool lost_ = false;
  bool failed_ = false;
};

V1Service::V1Service(Environment environment) : env_(std::move(environment)) {}

V1Service::~V1Service() = default;

bool V1Service::handle(const Request& request, TimePoint now) {
  now_ = now;
  const auto topic = command::parse_request_topic(env_.prefix, request.topic);
  if (!topic) return false;
  if (topic->command == "ch") return false;
  // Nobody waits for the answer to an empty message: it removes a retained one.
  if (request.payload.empty()) return true;
  if (request.payload.size() < v1::kHeaderBytes) {
    reply(ReplyKind::err, topic->id, v1::protocol_error(topic->command, "message without a header"));
    return true;
  }
  constexpr std::string_view kCommands[] = {"eval", "get", "put", "interrupt", "ota"};
  if (std::ranges::find(kCommands, topic->command) == std::end(kCommands) ||
      (topic->command == "ota" && env_.services.updates == nullptr)) {
    reply(ReplyKind::err, topic->id, v1::unsupported_command(topic->command));
    return true;
  }
  // More requests may have come since than the assembler remembers.
  if (topic->command == "eval" && !topic->loops_back() && runs(topic->id)) return true;
  const Admission admission =
      assembler_.admit({*topic, request.payload, request.retained, request.duplicate}, now);
  if (admission.displaced) transfers_[*admission.displaced].reset();
  using Verdict = v1::RequestAssembler::Verdict;
  switch (admission.verdict) {
    case Verdict::begin:
      begin(*topic, admission);
      break;
    case Verdict::more:
      if (transfers_[admission.stream]) transfers_[admission.stream]->message(admission);
      break;
    case Verdict::repeat_reply:
      repeat(admission);
      break;
    case Verdict::ignore:
      break;
    case Verdict::refuse:
      env_.services.report(kWarning,
                           concat("refused ", topic->command, " ", topic->tail, ": ", admission.why.view()));
      reply(ReplyKind::err, topic->id, v1::protocol_error(topic->command, admission.why));
      // A retained message or one too many belongs to no stream; otherwise its stream is dead.
      if (!request.retained && transfers_[admission.stream] && assembler_.id(admission.stream) == topic->id) {
        transfers_[admission.stream].reset();
      }
      break;
  }
  return true;
}

void V1Service::begin(const command::RequestTopic& topic, const Admission& admission) {
  transfers_[admission.stream].reset();
  if (topic.command == "eval") return begin_eval(admission);
  if (topic.command == "get") return begin_get(topic, admission);
  if (topic.command == "put") return begin_put(topic, admission);
  if (topic.command == "ota") return begin_update(topic, admission);
  interrupt(admission);
}

void V1Service::begin_put(const command::RequestTopic& topic, const Admission& admission) {
  auto put = std::make_unique<Put>(*this, topic.tail);
  if (const Status opened = put->open(); !opened.ok()) {
    return fail(admission.stream, error_text("put", topic.tail, opened));
  }
  transfers_[admission.stream] = std::move(put);
  transfers_[admission.stream]->message(admission);
}

void V1Service::begin_update(const command::RequestTopic& topic, const Admission& admission) {
  const auto hash = command::parse_hex(topic.tail);
  if (!hash) {
    return fail(admission.stream, v1::protocol_error("ota", "the topic must end in the image's SHA-256"));
  }
  auto update = std::make_unique<Put>(*this, topic.tail, admission.stream);
  if (const Status opened = update->open_update(*hash); !opened.ok()) {
    return fail(admission.stream, error_text("ota", "", opened));
  }
  transfers_[admission.stream] = std::move(update);
  transfers_[admission.stream]->message(admission);
}

void V1Service::begin_get(const command::RequestTopic& topic, const Admission& admission) {
  auto get = std::make_unique<Get>(*this, admission.stream, topic.tail);
  if (const Status opened = get->open(); !opened.ok()) {
    return fail(admission.stream, error_text("get", topic.tail, opened));
  }
  transfers_[admission.stream] = std::move(get);
  transfers_[admission.stream]->message(admission);
}

void V1Service::begin_eval(const Admission& admission) {
  transfers_[admission.stream] = std::make_unique<Source>(*this);
  transfers_[admission.stream]->message(admission);
}

void V1Service::interrupt(const Admission& admission) {
  env_.services.report(kWarning, "interrupt by an operator");
  env_.services.interpreter.interrupt();
  const std::string message = "\xff\xffOK";
  reply(ReplyKind::out, assembler_.id(admission.stream), message);
  finish(admission.stream, as_bytes(message));
}

void V1Service::repeat(const Admission& admission) {
  const Bytes again = assembler_.reply(admission.stream);
  if (!again.empty()) reply(ReplyKind::out, assembler_.id(admission.stream), as_text(again));
}

void V1Service::run(Stream stream, std::string source) {
  if (evals_.size() >= kMaxEvals)
    return fail(stream, "eval: too many evals wait: interrupt the board, or try later");
  auto eval = std::make_shared<Eval>(*this, stream, source.size());
  source_bytes_ += eval->source_bytes();
  evals_.push_back(eval);
  finish(stream, {});
  eval->start(std::move(source));
}

void V1Service::ended(const Eval& eval) {
  // A repeated request is answered from memory, unless its stream serves somebody else by now.
  const auto at = std::ranges::find_if(evals_, [&](const auto& each) { return each.get() == &eval; });
  const auto newer = std::find_if(std::next(at), evals_.end(),
                                  [&](const auto& each) { return each->stream() == eval.stream(); });
  if (eval.answered_at_once() && newer == evals_.end() && !transfers_[eval.stream()] &&
      eval.is_of(assembler_.id(eval.stream()))) {
    assembler_.finish(eval.stream(), eval.last_message());
  }
  source_bytes_ -= eval.source_bytes();
  evals_.erase(at);
  if (evals_.empty() && env_.idle) env_.idle();
}

void V1Service::finish(Stream stream, Bytes reply) {
  assembler_.finish(stream, reply);
  transfers_[stream].reset();
}

void V1Service::fail(Stream stream, std::string_view text) {
  reply(ReplyKind::err, assembler_.id(stream), text);
  assembler_.fail(stream);
  transfers_[stream].reset();
}

void V1Service::reply(ReplyKind kind, std::string_view id, std::string_view message) {
  env_.outbox.send(std::string(command::reply_topic(env_.prefix, kind, id).view()), std::string(message),
                   false);
}

void V1Service::tick(TimePoint now) {
  for (const auto& eval : evals_) eval->tick(now);
}

void V1Service::expire(TimePoint now) {
  while (const auto stream = assembler_.abandoned(now)) {
    const std::string_view command = assembler_.command(*stream);
    env_.services.report(kWarning,
                         concat(command, " request ", assembler_.id(*stream), ": its sender is gone"));
    fail(*stream, v1::protocol_error(command, "no message for too long"));
  }
}

bool V1Service::runs(std::string_view id) const {
  return std::ranges::any_of(evals_, [id](const auto& eval) { return eval->is_of(id); });
}

bool V1Service::busy() const { return !evals_.empty(); }

bool V1Service::serving() const {
  return busy() || std::ranges::any_of(transfers_, [](const auto& t) { return t && t->sends(); });
}

bool V1Service::receiving() const {
  return std::ranges::any_of(transfers_, [](const auto& t) { return t && !t->sends(); });
}

}  // namespace mqboard::board
