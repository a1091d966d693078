// Proof of manageability: what an operator's command would take, board → broker → board → interpreter, is
// taken every now and then by a feed of the board's own. Only a feed that comes back with the newest secret
// pats the watchdog; a secret is good once. When it has gone well for `all_ok` the board is in order.
//
// Sans-I/O; the owner calls tick() about once a second, and when it has connected. Threads: fed() from the
// Python thread, the rest on the I/O thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "board/config.hpp"
#include "core/base/time.hpp"

namespace mqboard::board {

class WatchdogService {
 public:
  struct Environment {
    // Sends a feed with this secret to the board itself; only called while connected.
    std::function<void(const std::string& secret)> send;
    std::function<std::string()> make_secret;  // unguessable, without quotes and backslashes
    std::function<void()> pat;                 // from the Python thread
    std::function<bool()> in_order;            // until it answers true; on the I/O thread
    std::function<void()> unheard;             // no feed of this connection has even reached the board
  };

  WatchdogService(const WatchdogConfig& config, Environment environment);

  // True when the secret was the newest one; it is used up by that.
  bool fed(std::string_view secret);

  // A feed reached the board, and is on its way to Python.
  void arrived() { heard_ = true; }

  void tick(TimePoint now, bool connected);

  // The last feed is longer ago than the timeout. Counted from the first tick.
  [[nodiscard]] bool starved(TimePoint now) const;
  [[nodiscard]] bool in_order() const { return told_; }
  [[nodiscard]] bool ever_fed() const { return feeds_ != 0; }

 private:
  // What a broker and the way to it take at most, unless the watchdog has less time than that.
  static constexpr Millis kArrival{10'000};
  void look_for_feed(TimePoint now, bool connected);

  const WatchdogConfig config_;
  const Environment env_;
  const Millis period_;
  std::mutex mutex_;
  std::string secret_;               // guarded by mutex_
  std::atomic<unsigned> feeds_ = 0;  // that came back
  unsigned seen_feeds_ = 0;
  TimePoint sent_at_ = kNever;   // kNever: not yet
  TimePoint alive_at_ = kNever;  // last feed, or start
  TimePoint manageable_since_ = kNever;
  TimePoint asked_at_ = kNever;  // first feed of this connection
  bool heard_ = false;           // one of them reached the board, or it was told that none did
  bool told_ = false;
};

}  // namespace mqboard::board
