#include "core/command/sources.hpp"

#include <algorithm>
#include <cstring>

namespace mqboard::command {

bool BufferSource::append(Bytes data) {
  if (data.size() > room()) return false;
  if (!data.empty()) std::memcpy(buffer_.data() + used_, data.data(), data.size());
  used_ += data.size();
  return true;
}

bool BufferSource::read(std::uint64_t offset, MutableBytes into) {
  if (offset > used_ || into.size() > used_ - offset) return false;
  std::memcpy(into.data(), buffer_.data() + offset, into.size());
  return true;
}

std::size_t RingSource::write(Bytes data) {
  const std::size_t count = std::min(data.size(), room());
  const auto at = static_cast<std::size_t>(end_ % buffer_.size());
  const std::size_t first = std::min(count, buffer_.size() - at);
  if (first != 0) std::memcpy(buffer_.data() + at, data.data(), first);
  if (count != first) std::memcpy(buffer_.data(), data.data() + first, count - first);
  end_ += count;
  return count;
}

bool RingSource::read(std::uint64_t offset, MutableBytes into) {
  if (offset < begin_ || offset > end_ || into.size() > end_ - offset) return false;
  const auto at = static_cast<std::size_t>(offset % buffer_.size());
  const std::size_t first = std::min(into.size(), buffer_.size() - at);
  std::memcpy(into.data(), buffer_.data() + at, first);
  if (into.size() != first) std::memcpy(into.data() + first, buffer_.data(), into.size() - first);
  return true;
}

void RingSource::release(std::uint64_t offset) { begin_ = std::max(begin_, std::min(offset, end_)); }

bool FileSource::read(std::uint64_t offset, MutableBytes into) {
  if (offset < head_.size()) {
    const auto at = static_cast<std::size_t>(offset);
    const std::size_t count = std::min(into.size(), head_.size() - at);
    std::memcpy(into.data(), head_.data() + at, count);
    into = into.subspan(count);
    offset += count;
  }
  if (into.empty()) return true;
  const std::uint64_t place = start_ + (offset - head_.size());
  if (place != at_ && !files_.seek(file_, static_cast<std::int64_t>(place), SeekFrom::start)) return false;
  at_ = ~std::uint64_t{0};
  while (!into.empty()) {
    const auto count = files_.read(file_, into);
    if (!count || *count == 0) return false;
    into = into.subspan(*count);
    offset += *count;
  }
  at_ = start_ + (offset - head_.size());
  return true;
}

}  // namespace mqboard::command
