#include "core/mqtt/out_queue.hpp"

#include <algorithm>
#include <cassert>

namespace mqboard::mqtt {

MutableBytes OutQueue::reserve(std::size_t size) {
  const bool wrapped = ring_used_ != 0 && head_ <= tail_;
  std::size_t room = (wrapped ? tail_ : ring_.size()) - head_;
  reserved_at_ = head_;
  if (room < size && !wrapped && tail_ >= size) {
    reserved_at_ = 0;
    room = tail_;
  }
  if (room < size || (count_ == entries_.size() && reserved_at_ != head_)) return {};
  return ring_.subspan(reserved_at_, room);
}

void OutQueue::commit(std::size_t size) {
  if (size == 0) return;
  const std::uint8_t* data = ring_.data() + reserved_at_;
  head_ = reserved_at_ + size;
  ring_used_ += size;
  appended_ += size;
  if (count_ != 0) {
    Entry& entry = entries_[last()];
    if (entry.lender == 0 && entry.data + entry.size == data) {
      entry.size += size;
      return;
    }
  }
  push({data, size, 0});
}

void OutQueue::lend(Bytes payload, std::uint16_t lender) {
  appended_ += payload.size();
  ++lent_;
  push({payload.data(), payload.size(), lender});
}

void OutQueue::push(Entry entry) {
  assert(count_ < entries_.size());
  ++count_;
  entries_[last()] = entry;
}

void OutQueue::free_ring(const Entry& entry, std::size_t size) {
  ring_used_ -= size;
  tail_ = static_cast<std::size_t>(entry.data - ring_.data());
  if (ring_used_ == 0) head_ = tail_ = 0;
}

std::uint16_t OutQueue::take(std::size_t& bytes) {
  while (count_ != 0) {
    Entry& entry = entries_[first_];
    const std::size_t taken = std::min(bytes, entry.size);
    entry.data += taken;
    entry.size -= taken;
    bytes -= taken;
    sent_ += taken;
    if (entry.lender == 0) free_ring(entry, taken);
    if (entry.size != 0) return 0;
    const std::uint16_t lender = entry.lender;
    first_ = next(first_);
    --count_;
    if (lender == 0) continue;
    --lent_;
    return lender;
  }
  return 0;
}

std::size_t OutQueue::gather(std::span<Bytes> list) const {
  const std::size_t used = std::min(list.size(), count_);
  for (std::size_t i = 0, at = first_; i < used; ++i, at = next(at))
    list[i] = {entries_[at].data, entries_[at].size};
  return used;
}

bool OutQueue::invariants_hold() const {
  std::size_t ring_bytes = 0;
  std::size_t all_bytes = 0;
  std::size_t lent = 0;
  for (std::size_t i = 0, at = first_; i < count_; ++i, at = next(at)) {
    all_bytes += entries_[at].size;
    if (entries_[at].lender == 0) ring_bytes += entries_[at].size;
    if (entries_[at].lender != 0) ++lent;
  }
  return ring_bytes == ring_used_ && lent == lent_ && appended_ - sent_ == all_bytes &&
         head_ <= ring_.size() && tail_ <= ring_.size();
}

}  // namespace mqboard::mqtt
