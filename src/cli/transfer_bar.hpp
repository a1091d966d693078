// The progress bar of a board operation that moves content.
#pragma once

#include <string>

#include "cli/board.hpp"
#include "cli/progress.hpp"

namespace mqboard::cli {

class TransferBar {
 public:
  TransferBar(Console& console, std::string name)
      : bar_(console, std::move(name), std::nullopt, std::chrono::steady_clock::now()) {}

  // Borrows this.
  [[nodiscard]] Mover mover() {
    return [this](std::uint64_t done, std::uint64_t total) {
      if (!started_) bar_.start_at(done);
      started_ = true;
      if (total != 0) bar_.total(total);
      bar_.update(done, std::chrono::steady_clock::now());
    };
  }

 private:
  Progress bar_;
  bool started_ = false;
};

}  // namespace mqboard::cli
