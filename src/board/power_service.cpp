#include "board/power_service.hpp"

#include <algorithm>

namespace mqboard::board {

PowerService::PowerService(const PowerConfig& config, TimePoint now) : config_(config), started_at_(now) {}

void PowerService::connected(TimePoint now) {
  if (!connected_at_) connected_at_ = now;
}

TimePoint PowerService::awake_until() const {
  const Millis window = config_.stay_awake;
  if (!connected_at_) return started_at_ + std::max(window, kConnectPatience);
  const TimePoint since = std::max(*connected_at_, acted_at_.value_or(*connected_at_));
  return std::max(since + window, stay_until_);
}

TimePoint PowerService::wish_waits_until(const Facts& facts) const {
  return std::max(stay_until_, facts.manageable ? started_at_ : started_at_ + kManageablePatience);
}

std::optional<Ending> PowerService::due(TimePoint now, const Facts& facts) const {
  const bool heard_lately = acted_at_ && now - *acted_at_ < kTransferPatience;
  if (facts.serving || (facts.transferring && heard_lately)) return std::nullopt;
  if (asked_) return now < wish_waits_until(facts) ? std::nullopt : asked_;
  if (config_.wake_every.count() == 0 || facts.on_trial || now < awake_until()) return std::nullopt;
  // From one start to the next, however long this time was.
  const Millis period = config_.wake_every;
  const Millis sleep = std::max(period - (now - started_at_) % period, kLeastSleep);
  return Ending{
      .request = boot::ResetRequest::deep_sleep, .origin = boot::ResetOrigin::application, .sleep = sleep};
}

}  // namespace mqboard::board
