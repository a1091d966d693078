// Where the client's coroutines wait: for an acknowledgement, for room, for a message, for time to pass.
//
// A coroutine suspends in wait() on a WaitList until somebody wakes it, its deadline passes or asio
// cancellation asks it to stop. Waking only marks it; resume_woken() at the end of the driver's handlers then
// resumes all marked ones in a row: what they submit leaves in one write, and no user code runs in the middle
// of the protocol.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "mqtt/time_source.hpp"

namespace mqboard::mqtt {

namespace asio = boost::asio;

enum class Wake : std::uint8_t { notified, timeout, cancelled };

class Waiters;
class WaitList;

// A suspended coroutine: an element of one WaitList, or of the woken ones.
struct Waiter {
  Waiter* next = nullptr;
  Waiter* previous = nullptr;
  WaitList* list = nullptr;
  TimePoint deadline = kNever;
  Wake wake = Wake::notified;
  bool woken = false;

  // Frees this and resumes the coroutine.
  virtual void resume() = 0;
  // Frees this and with it the coroutine, which is never resumed.
  virtual void destroy() = 0;

 protected:
  ~Waiter() = default;
};

// First in, first out. Empty when destroyed.
class WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  [[nodiscard]] bool empty() const { return head_ == nullptr; }
  [[nodiscard]] Waiter* front() const { return head_; }
  void push_back(Waiter& waiter);
  void push_front(Waiter& waiter);
  void remove(Waiter& waiter);

 private:
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
};

class Waiters : public std::enable_shared_from_this<Waiters> {
 public:
  static std::shared_ptr<Waiters> create(asio::any_io_executor executor, TimeSource& time);
  ~Waiters();

  // Waits at the end of the list, or at its front to keep a place that was given up for a moment.
  enum class Place : std::uint8_t { back, front };
  asio::awaitable<Wake> wait(WaitList& list, TimePoint deadline = kNever, Place place = Place::back);

  void wake_one(WaitList& list, Wake wake = Wake::notified);
  void wake_all(WaitList& list, Wake wake = Wake::notified);
  void wake(Waiter& waiter, Wake wake);

  // Runs the woken coroutines here and now. They may do anything, destroy this client included.
  void resume_woken();
  // The same from the executor, soon.
  void resume_woken_later();
  [[nodiscard]] bool any_woken() const { return !woken_.empty(); }

  // No deadline matters any more: everybody has been woken.
  void stop_alarm();

 private:
  struct Wait;  // the initiation of wait(); knows its handler's type
  struct ResumeLater;

  explicit Waiters(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void add(Waiter& waiter, WaitList& list, Place place);
  void on_alarm();
  void destroy_woken();

  asio::any_io_executor executor_;
  TimeSource* time_ = nullptr;
  std::unique_ptr<Alarm> alarm_;
  TimePoint armed_for_ = kNever;
  WaitList woken_;
  std::vector<Waiter*> timed_;  // those with a deadline
  bool resume_posted_ = false;
};

}  // namespace mqboard::mqtt
