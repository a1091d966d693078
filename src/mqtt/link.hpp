// One connection: carries bytes between a Transport and the Session, in batches, and tells its owner what to
// think about afterwards.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <mqboard/mqtt/client.hpp>

#include "core/mqtt/session.hpp"
#include "mqtt/time_source.hpp"
#include "mqtt/transport.hpp"

namespace mqboard::mqtt {

// What a Link needs of the client around it.
class LinkOwner {
 public:
  // One event of the session. What it borrows ends with the call.
  virtual void on_session_event(const Event& event) = 0;
  // Whether the application takes more messages; if not, input is left where it is until
  // Link::resume_input().
  [[nodiscard]] virtual bool takes_input() const = 0;
  // Called before bytes leave: whatever they depend on must be durable. False: it could not be made so.
  virtual bool commit() = 0;
  // The transport failed or ended; the Link is closed.
  virtual void on_link_lost(Error error) = 0;
  // The link makes progress on the executor's own account: what comes between these two calls, among it
  // events, belongs to one turn, which the second finishes.
  virtual void before_link_turn() = 0;
  virtual void on_link_turn() = 0;
  virtual std::shared_ptr<void> keep_alive() = 0;

 protected:
  ~LinkOwner() = default;
};

class Link final : public ReadyHandler, public std::enable_shared_from_this<Link> {
 public:
  Link(LinkOwner& owner, Session& session, TimeSource& time, std::unique_ptr<Transport> transport,
       Statistics& statistics);

  // Waits for input from now on.
  void start();

  // Hands the session's events and input to the owner; reads on if input had been left lying and no longer
  // is.
  void pump_input();
  // Writes what the session has, as far as the transport takes it.
  void pump_output();

  // Takes in what has arrived without being told of it.
  void read_now();
  // How many bytes of input are worth waking up for; at least 1.
  void set_low_water(std::size_t bytes);
  // Whether all output so far has left.
  [[nodiscard]] bool output_idle() const { return !write_waiting_; }

  // Says goodbye and closes. No callback follows.
  void close();

  [[nodiscard]] bool is_open() const { return owner_ != nullptr; }
  // Whether input lies there that nobody takes.
  [[nodiscard]] bool stalled() const { return !input_.empty(); }

 private:
  static constexpr std::size_t kReadBytes = 64 * 1024;
  static constexpr std::size_t kPieces = 64;
  static constexpr int kReadsPerTurn = 4;  // then others get their turn

  void on_ready(Ready direction, bool ok) override;
  void fill();
  void hand_over();
  void note_pause(bool paused);
  void wait_for(Ready direction);
  void lose(const IoResult& result);
  void lose_writing(const IoResult& result);

  LinkOwner* owner_;  // null once closed
  Session& session_;
  TimeSource& time_;
  std::unique_ptr<Transport> transport_;
  Statistics& statistics_;
  std::vector<std::uint8_t> buffer_;
  Bytes input_;  // the unprocessed part of buffer_
  std::size_t low_water_ = 1;
  bool paused_ = false;
  bool read_waiting_ = false;
  bool write_waiting_ = false;
};

}  // namespace mqboard::mqtt
