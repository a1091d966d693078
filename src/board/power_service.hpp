// When the board goes to sleep: periodically, as [power] in board.toml says, or because its application
// asked.
//
// Waking periodically, the board stays awake for `stay_awake` after it has connected and after each message
// of an operator. It never falls asleep under an operator: what is being done for one, or a transfer one has
// begun, is waited for, also when the application wants to sleep. On trial and in safe mode it does not sleep
// by itself: there it has to show that it can be managed.
//
// An application that sleeps as soon as it starts must not put the board out of reach for ever. So its wish
// waits until a command has got through since the start; and an operator who left word that the board shall
// stay awake, which arrives before that command, has `stay_awake` to come.
//
// Sans-I/O; the owner calls due() about once a second. Threads: one.
#pragma once

#include <optional>

#include "board/config.hpp"
#include "board/services.hpp"
#include "core/base/time.hpp"

namespace mqboard::board {

class PowerService {
 public:
  // A transfer whose operator was not heard for so long does not keep the board awake.
  static constexpr Millis kTransferPatience{60'000};
  // Without a connection for so long after its start (longer, if stay_awake is) the board sleeps until the
  // next try.
  static constexpr Millis kConnectPatience{60'000};
  static constexpr Millis kLeastSleep{1'000};
  // So long after the start the application's wish is granted though no command got through.
  static constexpr Millis kManageablePatience{20'000};

  // The board was started at `now`.
  PowerService(const PowerConfig& config, TimePoint now);

  void connected(TimePoint now);
  void operator_acted(TimePoint now) { acted_at_ = now; }
  // An operator is coming.
  void stay_awake(TimePoint now) { stay_until_ = now + config_.stay_awake; }
  // Python asked to sleep: the application, or what an operator evaluated.
  void ask(const Ending& sleep) { asked_ = sleep; }

  struct Facts {
    bool serving = false;       // something is being done for an operator
    bool transferring = false;  // an operator has begun to send something
    bool on_trial = false;      // of an image, or in safe mode
    bool manageable = false;    // a command got through since the start
  };
  // How to end the run, when it is time to sleep.
  [[nodiscard]] std::optional<Ending> due(TimePoint now, const Facts& facts) const;

 private:
  [[nodiscard]] TimePoint awake_until() const;
  [[nodiscard]] TimePoint wish_waits_until(const Facts& facts) const;

  const PowerConfig config_;
  const TimePoint started_at_;
  std::optional<TimePoint> connected_at_, acted_at_;
  TimePoint stay_until_ = TimePoint::min();
  std::optional<Ending> asked_;
};

}  // namespace mqboard::board
