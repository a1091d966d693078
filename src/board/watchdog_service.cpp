#include "board/watchdog_service.hpp"

#include <algorithm>
#include <utility>

namespace mqboard::board {

using namespace std::chrono_literals;

WatchdogService::WatchdogService(const WatchdogConfig& config, Environment environment)
    : config_(config),
      env_(std::move(environment)),
      period_(std::max<Millis>(std::min<Millis>(config.timeout, config.all_ok) / 4, 250ms)) {}

bool WatchdogService::fed(std::string_view secret) {
  {
    const std::lock_guard lock(mutex_);
    if (secret_.empty() || secret != secret_) return false;
    secret_.clear();
  }
  env_.pat();
  ++feeds_;
  return true;
}

void WatchdogService::tick(TimePoint now, bool connected) {
  if (alive_at_ == kNever) alive_at_ = now;
  if (const unsigned feeds = feeds_; feeds != seen_feeds_) {
    seen_feeds_ = feeds;
    // A gap as long as the timeout interrupts being manageable.
    if (manageable_since_ == kNever || now - alive_at_ > config_.timeout) manageable_since_ = now;
    alive_at_ = now;
    if (!told_ && now - manageable_since_ >= config_.all_ok) {
      told_ = env_.in_order();
    }
  }
  look_for_feed(now, connected);
  if (told_ && !config_.enabled) return;
  if (!connected) return;
  {
    // One that is still on its way gets twice the time: a busy interpreter answers late.
    const std::lock_guard lock(mutex_);
    const Millis wait = secret_.empty() ? period_ : 2 * period_;
    if (sent_at_ != kNever && now - sent_at_ < wait) return;
  }
  sent_at_ = now;
  if (asked_at_ == kNever) asked_at_ = now;
  std::string secret = env_.make_secret();
  {
    const std::lock_guard lock(mutex_);
    secret_ = secret;
  }
  env_.send(secret);
}

void WatchdogService::look_for_feed(TimePoint now, bool connected) {
  if (!connected) {
    asked_at_ = kNever;
    heard_ = false;
  }
  if (heard_ || asked_at_ == kNever || now - asked_at_ < std::min<Millis>(kArrival, config_.timeout / 2))
    return;
  heard_ = true;
  env_.unheard();
}

bool WatchdogService::starved(TimePoint now) const {
  return config_.enabled && alive_at_ != kNever && now - alive_at_ > config_.timeout;
}

}  // namespace mqboard::board
