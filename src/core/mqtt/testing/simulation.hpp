// Test support: a client session against the model broker over a network that cuts connections at any byte,
// delivers the rest of an old connection late, and lets either side crash and restart from what it committed.
// The client's store may fail for a while, its answers may be held back, sessions may end on either side.
// Everything follows from the seed.
//
// What must hold, whatever happens:
//   - a message the client was told is published has been taken over by the broker; in the end every QoS 1
//   and 2
//     message has, unless the session was lost and its event said so
//   - a QoS 2 message is taken over once, in both directions (unless the broker lost the session)
//   - per topic, messages come first in the order they were published; on one connection all of them do, once
//   - topics and payloads arrive as they were sent, acknowledgements in the order of their messages
//   - what deferrable_bytes() says may wait is nothing but answers
//   - packet identifiers and receive maximum are respected (the broker watches), the session's invariants
//   hold
//   - once the faults stop, everything is completed: no stall
#pragma once

#include <map>
#include <string>

namespace mqboard::mqtt::testing {

struct SimulationResult {
  std::string failure;              // empty: all held
  std::map<std::string, int> seen;  // situations it went through, and how often
};

SimulationResult simulate(unsigned long long seed);

}  // namespace mqboard::mqtt::testing
