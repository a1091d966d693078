#include "core/command/v1.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "core/base/crc32.hpp"

namespace mqboard::command::v1 {
namespace {

constexpr std::uint32_t kRequestNumbers = kSequenceMask + 1u;

// The numbers Python's OSError carries.
std::uint32_t errno_number(FsError error) {
  constexpr std::uint8_t kNumbers[] = {2, 17, 20, 21, 39, 28, 13, 18, 22, 36, 24, 5};
  return kNumbers[static_cast<std::size_t>(error)];
}

std::optional<FsError> file_error(StatusCode code) {
  if (code < StatusCode::not_found || code > StatusCode::io) return std::nullopt;
  return static_cast<FsError>(static_cast<int>(code) - static_cast<int>(StatusCode::not_found));
}

}  // namespace

std::array<std::uint8_t, kHeaderBytes> encode(Header header) {
  const unsigned word = (header.last ? 0x8000u : 0u) | (header.sequence & kSequenceMask);
  return {static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word)};
}

std::optional<Header> decode(Bytes message) {
  if (message.size() < kHeaderBytes) return std::nullopt;
  const std::uint16_t word = Reader(message).u16();
  return Header{(word & 0x8000) != 0, static_cast<std::uint16_t>(word & kSequenceMask)};
}

ErrorText protocol_error(std::string_view command, std::string_view why) {
  return ErrorText("MQRepl protocol error ").append(command).append(": ").append(why);
}

ErrorText unsupported_command(std::string_view command) {
  return ErrorText("Command '").append(command).append("' not supported");
}

ErrorText operation_error(std::string_view command, std::string_view path, const Status& status) {
  if (const auto error = file_error(status.code)) {
    ErrorText text("OSError: [Errno ");
    return text.append(errno_number(*error))
        .append("] ")
        .append(errno_name(*error))
        .append(": ")
        .append(path);
  }
  return ErrorText(command).append(": ").append(status.text.empty() ? name(status.code) : status.text.view());
}

// ---- RequestAssembler

RequestAssembler::Admission RequestAssembler::admit(const Message& message, TimePoint now) {
  const auto header = decode(message.payload);
  if (!header || message.topic.command.size() > kMaxCommand) return {};
  if (message.retained) {
    Admission refused{.verdict = Verdict::refuse, .header = *header};
    refused.why.append("retained command refused");
    return refused;
  }
  if (message.dup && !settled_) return {};
  settled_ = settled_ || !message.dup;

  const bool loop_back = message.topic.loops_back() && *header == Header{true, 0};
  const auto known = find(message.topic);
  if (known && !(loop_back && entries_[*known].state == State::finished))
    return resume(*known, message, *header, now);
  if (known) entries_[*known].state = State::free;
  return open(message, *header, now);
}

RequestAssembler::Admission RequestAssembler::open(const Message& message, Header header, TimePoint now) {
  const auto slot = vacant(now);
  Admission admission{
      .verdict = Verdict::begin, .header = header, .data = message.payload.subspan(kHeaderBytes)};
  if (!slot) {
    admission.verdict = Verdict::refuse;
    admission.why.append("too many requests at once");
    return admission;
  }
  Entry& entry = entries_[*slot];
  if (entry.state == State::open || entry.state == State::complete) admission.displaced = slot;
  entry.id = RequestId(message.topic.id);
  entry.command.clear();
  entry.command.append(message.topic.command);
  entry.tail_crc = crc32(as_bytes(message.topic.tail));
  entry.used = now;
  entry.reply_bytes = 0;
  entry.next = 1;
  entry.state = header.last ? State::complete : State::open;
  admission.stream = *slot;
  if (header.sequence == 0) return admission;
  Admission refused = refuse(*slot, header, "missing first message");
  refused.displaced = admission.displaced;
  return refused;
}

RequestAssembler::Admission RequestAssembler::resume(Stream stream, const Message& message, Header header,
                                                     TimePoint now) {
  Entry& entry = entries_[stream];
  Admission admission{.stream = stream, .header = header};
  entry.used = now;
  if (entry.state == State::dead) return admission;
  if (entry.tail_crc != crc32(as_bytes(message.topic.tail))) return refuse(stream, header, "topic changed");

  const auto expected = static_cast<std::uint32_t>(entry.next % kRequestNumbers);
  const std::uint32_t ahead = (header.sequence - expected) % kRequestNumbers;
  const std::uint32_t behind = kRequestNumbers - ahead;
  if (ahead != 0 && behind <= entry.next) {
    const bool repeats_the_end = header.last && behind == 1;
    if (entry.state == State::finished && repeats_the_end) admission.verdict = Verdict::repeat_reply;
    return admission;
  }
  if (entry.state != State::open) return refuse(stream, header, "message after the last");
  if (ahead != 0) {
    FixedText<80> why("message missing: ");
    return refuse(stream, header, why.append(header.sequence).append(" vs. ").append(expected));
  }
  if (header.last && expected == 0) return refuse(stream, header, "too many messages");
  ++entry.next;
  if (header.last) entry.state = State::complete;
  admission.verdict = Verdict::more;
  admission.data = message.payload.subspan(kHeaderBytes);
  return admission;
}

RequestAssembler::Admission RequestAssembler::refuse(Stream stream, Header header, std::string_view why) {
  entries_[stream].state = State::dead;
  Admission refused{.verdict = Verdict::refuse, .stream = stream, .header = header};
  refused.why.append(why);
  return refused;
}

std::optional<RequestAssembler::Stream> RequestAssembler::find(const RequestTopic& topic) const {
  for (std::size_t i = 0; i < kMaxStreams; ++i)
    if (entries_[i].state != State::free && entries_[i].id == topic.id &&
        entries_[i].command == topic.command)
      return static_cast<Stream>(i);
  return std::nullopt;
}

std::optional<RequestAssembler::Stream> RequestAssembler::vacant(TimePoint now) const {
  const auto rank = [&](const Entry& entry) {
    if (entry.state == State::free) return 0;
    if (entry.state == State::finished || entry.state == State::dead) return 1;
    return entry.abandoned(now) ? 2 : 3;
  };
  std::optional<Stream> best;
  int best_rank = 3;
  TimePoint best_used = kNever;
  for (std::size_t i = 0; i < kMaxStreams; ++i) {
    const int mine = rank(entries_[i]);
    if (mine == 3 || mine > best_rank || (mine == best_rank && entries_[i].used >= best_used)) continue;
    best = static_cast<Stream>(i);
    best_rank = mine;
    best_used = entries_[i].used;
  }
  return best;
}

std::optional<RequestAssembler::Stream> RequestAssembler::abandoned(TimePoint now) const {
  for (std::size_t i = 0; i < kMaxStreams; ++i) {
    if (entries_[i].abandoned(now)) return static_cast<Stream>(i);
  }
  return std::nullopt;
}

void RequestAssembler::fail(Stream stream) { entries_[stream].state = State::dead; }

void RequestAssembler::finish(Stream stream, Bytes reply) {
  Entry& entry = entries_[stream];
  entry.state = State::finished;
  entry.reply_bytes = 0;
  if (reply.empty() || reply.size() > kRememberedReply) return;
  std::memcpy(entry.reply.data(), reply.data(), reply.size());
  entry.reply_bytes = static_cast<std::uint16_t>(reply.size());
}

Bytes RequestAssembler::reply(Stream stream) const {
  return Bytes(entries_[stream].reply).first(entries_[stream].reply_bytes);
}

std::string_view RequestAssembler::id(Stream stream) const { return entries_[stream].id; }
std::string_view RequestAssembler::command(Stream stream) const { return entries_[stream].command; }

// ---- PutReceiver

PutReceiver::Step PutReceiver::message(const RequestAssembler::Admission& admission) {
  const auto failed = [this](Status status) {
    sink_.abort();
    return Step{.status = status};
  };
  if (Status written = sink_.write(admission.data); !written.ok()) return failed(written);
  Step step;
  if (admission.header.last) {
    if (Status committed = sink_.commit(); !committed.ok()) return failed(committed);
    write_reply("OK");
    step.finished = true;
  } else if ((admission.header.sequence & 7) == 0) {
    write_reply(FixedText<10>("SEQ ").append(admission.header.sequence));
  } else {
    return step;
  }
  step.reply = Bytes(reply_).first(reply_bytes_);
  return step;
}

void PutReceiver::write_reply(std::string_view text) {
  Writer writer(reply_);
  writer.bytes(encode(kSingle));
  writer.text(text);
  reply_bytes_ = writer.size();
}

// ---- GetSender

Status GetSender::open(std::string_view path) {
  close();
  path_ = FixedText<kMaxPath>(path);
  if (path_.truncated()) return file_status(FsError::too_long, path);
  const auto file = files_.open(path, OpenMode::read);
  if (!file) return file_status(file.error(), path);
  file_ = *file;
  sequence_ = 0;
  open_ = true;
  const auto info = files_.stat(file_);
  if (info && info->kind == FileInfo::Kind::file) return {};
  close();
  return file_status(info ? FsError::is_a_directory : info.error(), path);
}

Result<Bytes, Status> GetSender::next(MutableBytes into) {
  assert(into.size() > kHeaderBytes);
  if (!open_) return Bytes{};
  const MutableBytes data = into.subspan(kHeaderBytes);
  std::size_t filled = 0;
  while (filled < data.size()) {
    const auto count = files_.read(file_, data.subspan(filled));
    if (!count) {
      close();
      return Failure<Status>(file_status(count.error(), path_));
    }
    if (*count == 0) break;
    filled += *count;
  }
  const auto header = encode({.last = filled == 0, .sequence = sequence_});
  std::ranges::copy(header, into.begin());
  sequence_ = static_cast<std::uint16_t>((sequence_ + 1) % kOutsideSequence);
  if (filled == 0) close();
  return into.first(kHeaderBytes + filled);
}

void GetSender::close() {
  if (open_) static_cast<void>(files_.close(file_));  // only read from: nothing can be lost
  open_ = false;
}

// ---- EvalReply

EvalReply::EvalReply(MutableBytes buffer) : buffer_(buffer) { assert(buffer.size() > kHeaderBytes); }

std::size_t EvalReply::append(Bytes output) {
  settle();
  const std::size_t count = std::min(output.size(), buffer_.size() - kHeaderBytes - used_);
  if (count != 0) std::memcpy(buffer_.data() + kHeaderBytes + used_, output.data(), count);
  used_ += count;
  return count;
}

Bytes EvalReply::flush() {
  settle();
  if (used_ == 0) return {};
  streamed_ = true;
  const Header header{.last = false, .sequence = sequence_};
  sequence_ = static_cast<std::uint16_t>((sequence_ + 1) % kOutsideSequence);
  return message(header, looks_like_acknowledgement() ? 1 : used_);
}

Bytes EvalReply::finish() {
  settle();
  if (looks_like_acknowledgement()) return flush();
  finished_ = true;
  return message(streamed_ ? Header{true, sequence_} : kSingle, used_);
}

Bytes EvalReply::message(Header header, std::size_t bytes) {
  std::ranges::copy(encode(header), buffer_.begin());
  sent_ = bytes;
  return buffer_.first(kHeaderBytes + bytes);
}

void EvalReply::settle() {
  used_ -= sent_;
  if (sent_ != 0 && used_ != 0)
    std::memmove(buffer_.data() + kHeaderBytes, buffer_.data() + kHeaderBytes + sent_, used_);
  sent_ = 0;
}

bool EvalReply::looks_like_acknowledgement() const {
  return used_ < 10 && as_text(buffer_.subspan(kHeaderBytes, used_)).starts_with("SEQ ");
}

}  // namespace mqboard::command::v1
