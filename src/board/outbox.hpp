// Where the board's services put what they send, so that none of them waits: they say that they have
// something, and are asked for it message by message when the connection has room. Memory is therefore
// bounded by each service's own buffers, and long replies share the connection fairly.
//
// Everything goes out at QoS 1, but for what says that it needs none. Threads: the I/O thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::board {

// One message on its way out, borrowed from its source until that is asked for the next or forgotten.
struct Outgoing {
  std::string_view topic;
  Bytes payload;
  bool retain = false;
  bool acknowledged = true;  // QoS 1; false: QoS 0, the layer above notices what gets lost
};

class MessageSource {
 public:
  // The next message, or nothing for now: then the source calls Outbox::ready() when it has one again.
  virtual std::optional<Outgoing> next() = 0;

 protected:
  ~MessageSource() = default;
};

class Outbox {
 public:
  virtual ~Outbox() = default;

  // `source` has something to send. It stays ready until its next() returns nothing.
  virtual void ready(MessageSource& source) = 0;
  // `source` goes away; what it has handed out already is still sent.
  virtual void forget(MessageSource& source) = 0;

  // Sends one short message ahead of the sources, in the order of the calls. While the board is offline at
  // most kMaxQueuedBytes wait; beyond that the oldest are dropped.
  virtual void send(std::string topic, std::string payload, bool retain) = 0;
  static constexpr std::size_t kMaxQueuedBytes = 256 * 1024;
};

}  // namespace mqboard::board
