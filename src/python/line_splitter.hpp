// Cuts a stream of output into lines, or pieces of lines that grew too long.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/base/bytes.hpp"

namespace mqboard::python {

class LineSplitter {
 public:
  // Lines are handed over with their newline if `keep_newline`; pieces have `limit` bytes at most.
  LineSplitter(std::size_t limit, bool keep_newline) : limit_(limit), keep_newline_(keep_newline) {}

  // cut(piece) says how much of a piece is delivered now, the rest coming with the next.
  template<class Deliver, class Cut>
  void add(Bytes data, Deliver deliver, Cut cut) {
    while (!data.empty()) {
      const auto newline = std::ranges::find(data, std::uint8_t{'\n'});
      const auto line = static_cast<std::size_t>(newline - data.begin()) + (newline == data.end() ? 0 : 1);
      const std::size_t count = std::min(line, limit_ - pending_.size());
      pending_.insert(pending_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
      data = data.subspan(count);
      const bool complete = pending_.back() == '\n';
      if (!complete && pending_.size() < limit_) return;
      if (!complete) {
        deliver_piece(deliver, cut(Bytes(pending_)));
        continue;
      }
      if (!keep_newline_) pending_.pop_back();
      // A line that filled the limit exactly was delivered; its newline is not another, empty line.
      if (!pending_.empty() || !continued_) deliver(Bytes(pending_));
      pending_.clear();
      continued_ = false;
    }
  }

  template<class Deliver>
  void flush(Deliver deliver) {
    if (pending_.empty()) return;
    deliver(Bytes(pending_));
    pending_.clear();
    continued_ = !keep_newline_;
  }

 private:
  template<class Deliver>
  void deliver_piece(Deliver deliver, std::size_t size) {
    if (size == 0 || size > pending_.size()) size = pending_.size();
    deliver(Bytes(pending_).first(size));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(size));
    continued_ = !keep_newline_;
  }

  std::size_t limit_;
  bool keep_newline_;
  bool continued_ = false;
  std::vector<std::uint8_t> pending_;
};

}  // namespace mqboard::python
