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
