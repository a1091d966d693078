#include "mqtt/pace.hpp"

#include <algorithm>
#include <utility>

namespace mqboard::mqtt {

void Pace::filled(std::size_t most) {
  size_ = std::min(size_, std::max<std::size_t>(most, 1));
  if (size_ >= most || ++in_a_row_ < needed_) return;
  in_a_row_ = 0;
  size_ = std::min(size_ * 2, most);
}

void Pace::starved() {
  in_a_row_ = 0;
  size_ = std::max<std::size_t>(size_ / 2, 1);
  needed_ = std::min(needed_ * 2, kLongestNeed);
}

std::size_t InputPace::low_water(const Expected& expected, bool has_read, TimePoint now) {
  if (has_read) {
    const bool dense = now < last_read_ + longest_wait_;
    if (dense && !idle_ && expected.most > 1) pace_.filled(expected.most);
    last_read_ = now;
    idle_ = false;
  }
  const std::size_t size = std::min(pace_.size(), expected.most);
  if (size <= 1 || idle_) {
    deadline_ = kNever;
    return 1;
  }
  if (has_read || deadline_ == kNever) deadline_ = now + longest_wait_;
  return size * expected.bytes_each;
}

void InputPace::looked(bool found) {
  deadline_ = kNever;
  idle_ = !found;
  if (found) pace_.starved();
}

void ExchangePace::read(const Read& read, TimePoint now) {
  const std::size_t known = unreleased_ + read.taken;
  const std::size_t released = known - std::min(known, read.unreleased);
  const std::size_t packets = read.messages + released;
  unreleased_ = read.unreleased;
  pubrecs_ += read.taken;
  pubcomps_ += released;
  coming_packets_ -= std::min(coming_packets_, packets);
  coming_bytes_ = coming_packets_ == 0 ? 0 : coming_bytes_ - std::min(coming_bytes_, read.bytes);

  lately_ += packets;
  const bool window_over = now - since_ >= longest_wait_;
  if (window_over) {
    dense_ = lately_ >= kDense && now - since_ < 2 * longest_wait_;
    lately_ = 0;
    since_ = now;
  }
  if (read.messages == 0) return;
  const std::size_t each = (read.bytes - std::min(read.bytes, released * kAckBytes)) / read.messages;
  message_bytes_ = window_over ? each : std::min(message_bytes_, each);
}

void ExchangePace::written() {
  coming_packets_ += pubrecs_ + pubcomps_;
  coming_bytes_ += pubrecs_ * kAckBytes + pubcomps_ * message_bytes_;
  pubrecs_ = pubcomps_ = 0;
}

std::size_t ExchangePace::low_water(bool has_read, TimePoint now) {
  if (!dense_ || coming_packets_ <= 1) {
    deadline_ = kNever;
    return 1;
  }
  if (has_read || deadline_ == kNever) deadline_ = now + std::max(longest_wait_ / 2, Millis{1});
  return std::max<std::size_t>(coming_bytes_, 1);
}

void ExchangePace::looked(bool found) {
  deadline_ = kNever;
  if (!found) coming_packets_ = coming_bytes_ = 0;
}

bool AnswerPace::hold(std::size_t answers, std::size_t most, TimePoint now) {
  if (answers < std::min(pace_.size(), most)) {
    if (deadline_ == kNever) deadline_ = now + longest_wait_;
    return true;
  }
  if (now < std::exchange(last_written_, now) + longest_wait_) pace_.filled(most);
  deadline_ = kNever;
  return false;
}

void AnswerPace::expire() {
  deadline_ = kNever;
  pace_.starved();
}

}  // namespace mqboard::mqtt
