// Where a Session keeps what must survive the process: declared here by its user, implemented elsewhere
// (memory, file).
//
// A key-value store. Keys are few (at most one per packet identifier and direction), values opaque.
//
// Durability: put() and erase() may be buffered, in order. The owner of the session calls the store's own
// commit before it hands bytes of Session::outgoing() to the transport, and nothing else; a record thus is
// durable before the peer can know of it. A cut before the commit must leave the state of an earlier commit.
//
// Memory: the value a visitor is shown by load() must stay valid and unchanged until its key is put or erased
// or the store dies: a restored message is sent out of it.
#pragma once

#include <compare>
#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

struct RecordKey {
  enum class Kind : std::uint8_t {
    outgoing = 1,  // an unacknowledged PUBLISH or PUBREL of ours
    inbound = 2    // a QoS 2 identifier whose message we took over from the server
  };
  Kind kind = Kind::outgoing;
  std::uint16_t packet_id = 0;
  auto operator<=>(const RecordKey&) const = default;
};

class Persistence {
 public:
  class Visitor {
   public:
    // Return false to stop: load() then returns false.
    virtual bool record(RecordKey key, Bytes value) = 0;

   protected:
    ~Visitor() = default;
  };

  // Stores the concatenation of `value`, replacing what the key had. False: not stored, nothing changed.
  virtual bool put(RecordKey key, std::span<const Bytes> value) = 0;
  // Forgets the key; it need not exist. False: it may still be there.
  virtual bool erase(RecordKey key) = 0;
  // Shows every record, in any order.
  virtual bool load(Visitor& visitor) = 0;

 protected:
  ~Persistence() = default;
};

}  // namespace mqboard::mqtt
