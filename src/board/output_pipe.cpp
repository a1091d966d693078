#include "board/output_pipe.hpp"

#include <algorithm>
#include <cstring>

namespace mqboard::board {

OutputPipe::OutputPipe(std::size_t capacity, std::function<void()> notify)
    : capacity_(capacity), notify_(std::move(notify)) {}

void OutputPipe::output(Bytes chunk) {
  while (!chunk.empty()) {
    bool was_empty = false;
    {
      std::unique_lock lock(mutex_);
      blocked_ = buffer_.size() >= capacity_;
      room_.wait(lock, [this] { return closed_ || buffer_.size() < capacity_; });
      blocked_ = false;
      if (closed_) return;
      was_empty = buffer_.empty();
      const std::size_t count = std::min(chunk.size(), capacity_ - buffer_.size());
      buffer_.append(as_text(chunk.first(count)));
      chunk = chunk.subspan(count);
    }
    if (was_empty) notify_();
  }
}

void OutputPipe::done(python::Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
  }
  notify_();
}

std::size_t OutputPipe::read(MutableBytes into) {
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = std::min(into.size(), buffer_.size());
    if (count != 0) std::memcpy(into.data(), buffer_.data(), count);
    buffer_.erase(0, count);
  }
  if (count != 0) room_.notify_one();
  return count;
}

bool OutputPipe::empty() const {
  const std::lock_guard lock(mutex_);
  return buffer_.empty();
}

std::optional<python::Outcome> OutputPipe::outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_;
}

void OutputPipe::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    buffer_.clear();
  }
  room_.notify_one();
}

bool OutputPipe::blocked() const {
  const std::lock_guard lock(mutex_);
  return blocked_;
}

}  // namespace mqboard::board
