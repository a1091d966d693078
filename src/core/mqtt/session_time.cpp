// Time: what has been sent when, and what has to happen until when.
#include <algorithm>

#include "core/mqtt/encoder.hpp"
#include "core/mqtt/session_parts.hpp"

namespace mqboard::mqtt {

void Session::Parts::sent(std::size_t bytes, TimePoint now) {
  if (bytes != 0) last_sent = now;
  while (const SlotId lender = out.take(bytes)) {
    Slot& slot = slots[lender];
    slot.lent_out = false;
    if (slot.state == Slot::State::departing) report(slot);
  }
  stall_since = out.empty() ? kNever : now;
  for (SlotList* list : {&publishes, &releases, &requests}) list->mark_sent(slots, out.sent(), now);
  if (ping_outstanding && ping_sent_at == kNever && ping_end <= out.sent()) ping_sent_at = now;
  if (phase == Phase::closing && out.empty()) {
    phase = Phase::over;
    closed_due = event::Closed{.cause = CloseCause::client};
  }
  pump(now);
}

void Session::Parts::pause_input(bool pause, TimePoint now) {
  if (paused && !pause) clock_floor = now;
  paused = pause;
}

// Keep alive counts what we send [MQTT-3.1.2-23 of 3.1.1], the link check what we receive: a PINGREQ half a
// response time after the last sign of life leaves a whole one for its answer, so that a half-open link is
// known after 1.5 response times.
TimePoint Session::Parts::ping_due() const {
  if (ping_wanted || ping_outstanding) return kNever;
  TimePoint due = kNever;
  if (negotiated.keep_alive_s != 0) due = last_sent + Millis{negotiated.keep_alive_s * 750};
  if (paused || blocked || config.link_check == LinkCheck::keep_alive) return due;
  const TimePoint since =
      config.link_check == LinkCheck::always ? std::max(last_received, clock_floor) : unanswered_since;
  return since == kNever ? due : std::min(due, since + config.response_time / 2);
}

// When the first of all answers that are due will have been missing for too long.
TimePoint Session::Parts::answer_due() const {
  if (paused || blocked) return kNever;
  if (phase == Phase::connecting) return connect_started + config.response_time;
  TimePoint asked = kNever;
  for (const SlotList* list : {&publishes, &releases, &requests}) {
    if (!list->empty()) asked = std::min(asked, slots[list->head()].sent_at);
  }
  if (ping_outstanding && ping_sent_at != kNever)
    asked = std::min(asked, std::max(ping_sent_at, last_received));
  return asked == kNever ? kNever : std::max(asked, clock_floor) + config.response_time;
}

Session::Parts::Deadline Session::Parts::deadline() const {
  Deadline first;
  const auto consider = [&first](TimePoint at, Deadline::Due due) {
    if (at < first.at) first = {at, due};
  };
  const bool open = phase != Phase::offline && phase != Phase::over;
  if (open && stall_since != kNever)
    consider(stall_since + config.response_time * 3 / 2, Deadline::Due::stalled);
  if (in_use()) consider(answer_due(), Deadline::Due::response);
  if (phase == Phase::connected) consider(ping_due(), Deadline::Due::ping);
  return first;
}

void Session::Parts::tick(TimePoint now) {
  for (Deadline first = deadline(); first.at <= now; first = deadline()) {
    switch (first.due) {
      case Deadline::Due::ping:
        ping_wanted = true;
        break;
      case Deadline::Due::response:
        close(CloseCause::response_timeout, ReasonCode::unspecified_error, now);
        break;
      case Deadline::Due::stalled:
        phase = Phase::over;
        closed_due = event::Closed{.cause = CloseCause::stalled};
        break;
      case Deadline::Due::nothing:
        return;
    }
  }
  pump(now);
}

}  // namespace mqboard::mqtt
