// One attempt to reach a broker: what its steps (resolve, connect, TLS, WebSocket) share.
#pragma once

#include <mqboard/mqtt/error.hpp>

#include "mqtt/transport.hpp"
#include "mqtt/waiters.hpp"

namespace mqboard::mqtt {

// Every wait of an attempt ends at its deadline, or when its owner wakes `list` with Wake::cancelled.
struct Attempt {
  asio::any_io_executor executor;
  TimeSource& time;
  std::shared_ptr<Waiters> waiters;
  WaitList& list;
  TimePoint deadline;
  std::string name;  // of the endpoint, for errors

  [[nodiscard]] asio::awaitable<Wake> wait() { return waiters->wait(list, deadline); }
  // Waits until the transport is ready. Errors: connect_timeout, cancelled.
  [[nodiscard]] asio::awaitable<Result<void>> wait_ready(Transport& transport, Ready direction);

  [[nodiscard]] std::unexpected<Error> error(Errc code, std::string_view what) const {
    return std::unexpected(Error(code, name + ": " + std::string(what)));
  }
  [[nodiscard]] std::unexpected<Error> error(Errc code) const {
    return error(code, make_error_code(code).message());
  }
  [[nodiscard]] std::unexpected<Error> interrupted(Wake wake) const {
    return error(wake == Wake::timeout ? Errc::connect_timeout : Errc::cancelled);
  }
};

}  // namespace mqboard::mqtt
