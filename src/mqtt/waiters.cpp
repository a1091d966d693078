#include "mqtt/waiters.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <cassert>

namespace mqboard::mqtt {

void WaitList::push_back(Waiter& waiter) {
  waiter.list = this;
  waiter.previous = tail_;
  waiter.next = nullptr;
  (tail_ ? tail_->next : head_) = &waiter;
  tail_ = &waiter;
}

void WaitList::push_front(Waiter& waiter) {
  waiter.list = this;
  waiter.next = head_;
  waiter.previous = nullptr;
  (head_ ? head_->previous : tail_) = &waiter;
  head_ = &waiter;
}

void WaitList::remove(Waiter& waiter) {
  assert(waiter.list == this);
  (waiter.previous ? waiter.previous->next : head_) = waiter.next;
  (waiter.next ? waiter.next->previous : tail_) = waiter.previous;
  waiter.list = nullptr;
}

namespace {

// The one place that knows the type of a suspended coroutine.
template<class Handler>
struct SuspendedHandler final : Waiter {
  using Allocator = asio::recycling_allocator<SuspendedHandler>;

  SuspendedHandler(Handler&& to_resume, const asio::any_io_executor& fallback)
      : handler(std::move(to_resume)), executor(fallback) {}

  static SuspendedHandler* make(Handler&& handler, const asio::any_io_executor& fallback) {
    Allocator allocator;
    return new (allocator.allocate(1)) SuspendedHandler(std::move(handler), fallback);
  }

  Handler release() {
    Handler moved = std::move(handler);
    destroy();
    return moved;
  }

  void resume() override {
    const Wake outcome = wake;
    const auto home = executor;
    Handler moved = release();
    asio::get_associated_cancellation_slot(moved).clear();
    const auto associated = asio::get_associated_executor(moved, home);
    if (associated == home) {
      std::move(moved)(outcome);
    } else {
      asio::dispatch(associated,
                     [moved = std::move(moved), outcome]() mutable { std::move(moved)(outcome); });
    }
  }

  void destroy() override {
    this->~SuspendedHandler();
    Allocator().deallocate(this, 1);
  }

  Handler handler;
  asio::any_io_executor executor;
};

}  // namespace

// Posted to resume the woken. Destroyed unrun (its executor has ended), it takes the suspended coroutines
// along, which otherwise would keep their client, and so themselves, alive for ever.
struct Waiters::ResumeLater {
  std::shared_ptr<Waiters> self;

  explicit ResumeLater(std::shared_ptr<Waiters> waiters) : self(std::move(waiters)) {}
  ResumeLater(ResumeLater&&) = default;
  ResumeLater& operator=(ResumeLater&&) = delete;
  ~ResumeLater() {
    if (self) self->destroy_woken();
  }

  void operator()() {
    const auto waiters = std::move(self);
    waiters->resume_posted_ = false;
    waiters->resume_woken();
  }
};

struct Waiters::Wait {
  Waiters* self;
  WaitList* list;
  TimePoint deadline;
  Place place;

  template<class Handler>
  void operator()(Handler&& handler) {
    using Suspended = SuspendedHandler<std::decay_t<Handler>>;
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto* const waiter = Suspended::make(std::forward<Handler>(handler), self->executor_);
    waiter->deadline = deadline;
    if (slot.is_connected()) {
      slot.assign([weak = self->weak_from_this(), waiter](asio::cancellation_type type) {
        const auto waiters = weak.lock();
        if (!waiters || type == asio::cancellation_type::none) return;
        waiters->wake(*waiter, Wake::cancelled);
        waiters->resume_woken_later();
      });
    }
    self->add(*waiter, *list, place);
  }
};

std::shared_ptr<Waiters> Waiters::create(asio::any_io_executor executor, TimeSource& time) {
  std::shared_ptr<Waiters> waiters(new Waiters(executor));
  waiters->time_ = &time;
  waiters->alarm_ = time.make_alarm(std::move(executor), [weak = std::weak_ptr(waiters)] {
    if (const auto alive = weak.lock()) alive->on_alarm();
  });
  return waiters;
}

Waiters::~Waiters() { destroy_woken(); }

void Waiters::destroy_woken() {
  while (Waiter* const waiter = woken_.front()) {
    woken_.remove(*waiter);
    waiter->destroy();
  }
}

asio::awaitable<Wake> Waiters::wait(WaitList& list, TimePoint deadline, Place place) {
  co_return co_await asio::async_initiate<const asio::deferred_t, void(Wake)>(
      Wait{this, &list, deadline, place}, asio::deferred);
}

void Waiters::add(Waiter& waiter, WaitList& list, Place place) {
  if (place == Place::back) {
    list.push_back(waiter);
  } else {
    list.push_front(waiter);
  }
  if (waiter.deadline == kNever) return;
  timed_.push_back(&waiter);
  if (waiter.deadline >= armed_for_) return;
  armed_for_ = waiter.deadline;
  alarm_->set(armed_for_);
}

void Waiters::wake(Waiter& waiter, Wake wake) {
  if (waiter.woken) return;
  waiter.woken = true;
  waiter.wake = wake;
  if (waiter.deadline != kNever) std::erase(timed_, &waiter);
  waiter.list->remove(waiter);
  woken_.push_back(waiter);
}

void Waiters::wake_one(WaitList& list, Wake how) {
  if (Waiter* const waiter = list.front()) wake(*waiter, how);
}

void Waiters::wake_all(WaitList& list, Wake how) {
  while (Waiter* const waiter = list.front()) wake(*waiter, how);
}

void Waiters::resume_woken() {
  const auto alive = shared_from_this();
  while (Waiter* const waiter = woken_.front()) {
    woken_.remove(*waiter);
    waiter->resume();
  }
}

void Waiters::resume_woken_later() {
  if (resume_posted_ || woken_.empty()) return;
  resume_posted_ = true;
  asio::post(executor_, ResumeLater(shared_from_this()));
}

void Waiters::on_alarm() {
  const TimePoint now = time_->now();
  armed_for_ = kNever;
  for (std::size_t i = timed_.size(); i-- > 0;) {
    if (timed_[i]->deadline <= now) {
      wake(*timed_[i], Wake::timeout);
    } else {
      armed_for_ = std::min(armed_for_, timed_[i]->deadline);
    }
  }
  if (armed_for_ != kNever) alarm_->set(armed_for_);
  resume_woken();
}

void Waiters::stop_alarm() {
  alarm_->cancel();
  armed_for_ = kNever;
}

}  // namespace mqboard::mqtt
