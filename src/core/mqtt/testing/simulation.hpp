// Test support: a client session against the model broker over a network that cuts connections at any byte,
// delivers the rest of an old connection late, and lets either side crash and restart from what it committed.
// Everything follows from the seed.
//
// What must hold, whatever happens:
//   - a message the client was told is published has been taken over by the broker; in the end every QoS 1
//   and 2
//     message has, unless the session was lost and its event said so
//   - a QoS 2 message is taken over once, in both directions (unless the broker lost the session)
//   - per topic, messages come first in the order they were published; on one connection all of them do, once
//   - packet identifiers and receive maximum are respected (the broker watches), the session's invariants
//   hold
//   - once the faults stop, everything is completed: no stall
#pragma once

#include <string>

namespace mqboard::mqtt::testing {

struct SimulationResult {
  std::string failure;  // empty: all held
  int published = 0;    // QoS 1 and 2 messages completed, client to broker
  int received = 0;     // messages broker to client
  int connections = 0;
  int client_crashes = 0;
  int broker_crashes = 0;
  int sessions_lost = 0;
};

SimulationResult simulate(unsigned long long seed);

}  // namespace mqboard::mqtt::testing
