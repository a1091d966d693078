// Carries what a Python job prints, and how it ended, from the Python thread to the I/O thread.
//
// Holds at most `capacity` bytes: a program that prints faster than the connection takes it waits in its
// print().
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "python/runtime.hpp"

namespace mqboard::board {

class OutputPipe final : public python::JobSink {
 public:
  // `notify` is called on the Python thread when there is output after there was none, and at the end. It
  // must only hand over to the I/O thread.
  OutputPipe(std::size_t capacity, std::function<void()> notify);

  // Python thread.
  void output(Bytes chunk) override;
  void done(python::Outcome outcome) override;

  // I/O thread. Takes what was printed since, at most `most` bytes.
  [[nodiscard]] std::size_t read(MutableBytes into);
  [[nodiscard]] bool empty() const;
  // Set once the job has ended. Output may be left.
  [[nodiscard]] std::optional<python::Outcome> outcome() const;
  // Nobody reads any more: further output is discarded and a waiting print() goes on.
  void close();
  // Whether a print() waits for room.
  [[nodiscard]] bool blocked() const;

 private:
  const std::size_t capacity_;
  const std::function<void()> notify_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable room_;
  std::string buffer_;
  std::optional<python::Outcome> outcome_;
  bool closed_ = false;
  bool blocked_ = false;
};

}  // namespace mqboard::board
