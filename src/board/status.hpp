// The retained announcement at `<prefix>/mqb/status`; its keys are in docs/WIRE.md, "Status".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mqboard::board {

struct StatusFields {
  bool online = true;
  std::string kind, location, prefix, unique_id;
  std::string firmware_version, slot, slot_state;
  std::uint32_t boot_count = 0;
  std::string reset_cause;
  bool safe_mode = false;
  std::uint32_t epoch = 0;           // of the v2 channels; 0: v1 only
  std::uint32_t channel_credit = 0;  // what may be sent on one before the board has answered, bytes
  std::uint32_t channel_largest = 0;
  std::vector<std::string> capabilities;
  std::int64_t connected_at_s = 0;  // UTC; 0: the clock is not set
  std::string reason;               // why offline: "stopped", "reset", "deep_sleep"; empty: connection lost
  std::int64_t wake_every_s = 0;    // how often it wakes by itself; 0: it does not sleep by itself
  bool sleeping = false;            // asleep, and will be back
  std::int64_t wakes_at_s = 0;      // UTC; 0: not known
};

std::string to_json(const StatusFields& fields);

// What the operation `info` adds to it.
struct InfoFields {
  std::int64_t uptime_ms = 0;
  std::uint64_t flash_total_bytes = 0, flash_free_bytes = 0;
  std::size_t heap_used_bytes = 0, heap_free_bytes = 0;
  std::uint64_t collections = 0;
  std::string python_activity;  // what the interpreter does, and for how long
  std::int64_t python_activity_ms = 0;
  unsigned interpreter_generation = 0;
  std::uint64_t events_dropped = 0;
  std::uint64_t log_lost = 0;
  std::size_t resident_bytes = 0;
  std::uint64_t connections = 0, bytes_sent = 0, bytes_received = 0;
  std::size_t channels_open = 0;
  bool in_order = false;
  std::size_t crash_reports = 0;
};

std::string to_json(const StatusFields& fields, const InfoFields& info);

}  // namespace mqboard::board
