// A byte stream to a broker: what TCP, TLS, WebSocket and Unix sockets have in common.
//
// The interface is that of a non-blocking descriptor (try, and be told when trying is worth while) rather
// than one of completions: the driver reads straight into its buffer and writes straight from the session's,
// no operation object stands between a packet and its system call, and layers such as TLS simply stand on top
// of another Transport.
//
// A Transport belongs to one executor and is used from there only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <mqboard/mqtt/error.hpp>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

enum class Ready : std::uint8_t { read, write };

struct IoResult {
  std::size_t bytes = 0;  // moved now
  bool blocked = false;   // nothing more until the next async_wait of this direction completes
  Errc error{};           // 0: none; otherwise the stream is dead
  std::string detail{};   // why, where the code alone does not say (TLS)

  [[nodiscard]] bool failed() const { return error != Errc{}; }
};

// Who waits for a Transport. `ok` false: the wait was aborted by close().
class ReadyHandler {
 public:
  virtual void on_ready(Ready direction, bool ok) = 0;

 protected:
  ~ReadyHandler() = default;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Reads what is there. The end of the stream is Errc::connection_closed.
  virtual IoResult read(MutableBytes into) = 0;

  // Writes the pieces in order as far as the stream takes them now. Bytes counted as moved may still wait
  // inside the stream while it reports blocked; write() again (with nothing, if need be) when it is ready.
  virtual IoResult write(std::span<const Bytes> pieces) = 0;

  // Calls the handler once, from the executor, when read() or write() is worth trying again. One wait per
  // direction at a time. The handler is kept alive until then.
  virtual void async_wait(Ready direction, std::shared_ptr<ReadyHandler> handler) = 0;

  // Readiness to read need not be reported for fewer bytes than this: whoever reads would not act on less. A
  // hint.
  virtual void set_low_water(std::size_t bytes) = 0;

  // Whether TLS took up an earlier session.
  [[nodiscard]] virtual bool resumed() const { return false; }

  // Says goodbye where the protocol has a word for it (TLS close_notify, WebSocket close), without waiting.
  virtual void shutdown() = 0;

  // Closes at once; waits complete as aborted.
  virtual void close() = 0;
};

}  // namespace mqboard::mqtt
