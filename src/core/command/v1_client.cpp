#include "core/command/v1_client.hpp"

#include <algorithm>
#include <charconv>

namespace mqboard::command::v1 {
namespace {

constexpr std::uint32_t kRequestNumbers = kSequenceMask + 1u;
constexpr std::uint32_t kReplyNumbers = kOutsideSequence;  // 0x7fff itself is not a place in the sequence

std::optional<std::uint16_t> acknowledged_sequence(Bytes data) {
  const std::string_view text = as_text(data);
  if (!text.starts_with("SEQ ")) return std::nullopt;
  std::uint16_t sequence = 0;
  const auto [end, error] = std::from_chars(text.data() + 4, text.data() + text.size(), sequence);
  if (error != std::errc{} || end != text.data() + text.size() || sequence > kSequenceMask)
    return std::nullopt;
  return sequence;
}

}  // namespace

ReplyCollector::Event ReplyCollector::reply(ReplyKind kind, Bytes payload) {
  if (ended_ || kind == ReplyKind::channel) return {};
  if (kind == ReplyKind::out) return output(payload);
  ended_ = true;
  return {.kind = Kind::failed, .data = payload};
}

ReplyCollector::Event ReplyCollector::output(Bytes payload) {
  const auto header = decode(payload);
  if (!header) return {};
  const Bytes data = payload.subspan(kHeaderBytes);
  if (header->sequence == kOutsideSequence) {
    if (expect_ == Expect::acknowledgements)
      if (const auto sequence = acknowledged_sequence(data))
        return {.kind = Kind::acknowledged, .sequence = *sequence};
  } else {
    const auto expected = static_cast<std::uint32_t>(next_ % kReplyNumbers);
    const std::uint32_t ahead = (header->sequence + kReplyNumbers - expected) % kReplyNumbers;
    if (ahead != 0 && kReplyNumbers - ahead <= next_) return {};
    if (ahead != 0) {
      ended_ = true;
      return {.kind = Kind::broken, .sequence = header->sequence};
    }
    ++next_;
  }
  ended_ = header->last;
  return {.kind = header->last ? Kind::done : Kind::data, .data = data, .sequence = header->sequence};
}

bool PutSender::fits_original(std::uint64_t total_bytes, std::size_t chunk_bytes) {
  return total_bytes <= std::uint64_t{kRequestNumbers} * chunk_bytes;
}

PutSender::PutSender(std::uint64_t total_bytes, Pacing pacing)
    : total_bytes_(total_bytes),
      pacing_(pacing),
      messages_(std::max<std::uint64_t>(1, (total_bytes + pacing.chunk_bytes - 1) / pacing.chunk_bytes)) {
  // The board acknowledges every eighth message: a narrower window would never open.
  if (pacing_.proof == Proof::acknowledgement) pacing_.window = std::max(pacing_.window, 9u);
  // The last flag may not meet the number 0 again (RequestAssembler): an empty message carries it.
  if (messages_ > 1 && (messages_ - 1) % kRequestNumbers == 0) ++messages_;
}

std::optional<PutSender::Slice> PutSender::next() {
  if (all_sent() || next_ - proven_ >= pacing_.window) return std::nullopt;
  const std::uint64_t offset = std::min(next_ * pacing_.chunk_bytes, total_bytes_);
  Slice slice{
      .header = {.last = next_ + 1 == messages_,
                 .sequence = static_cast<std::uint16_t>(next_ & kSequenceMask)},
      .offset = offset,
      .bytes = static_cast<std::size_t>(std::min<std::uint64_t>(pacing_.chunk_bytes, total_bytes_ - offset))};
  ++next_;
  return slice;
}

bool PutSender::wants_barrier() const {
  return pacing_.proof == Proof::barrier && !barrier_pending_ && !all_sent() &&
         next_ - proven_ >= (pacing_.window + 1) / 2;
}

void PutSender::barrier_sent() {
  barrier_pending_ = true;
  barrier_at_ = next_;
}

void PutSender::barrier_passed() {
  if (barrier_pending_) proven_ = std::max(proven_, barrier_at_);
  barrier_pending_ = false;
}

void PutSender::acknowledged(std::uint16_t sequence) {
  const std::uint64_t position = proven_ + ((sequence - proven_) & kSequenceMask);
  if (position < next_) proven_ = position + 1;
}

std::uint64_t PutSender::bytes_proven() const {
  return std::min(proven_ * pacing_.chunk_bytes, total_bytes_);
}

}  // namespace mqboard::command::v1
