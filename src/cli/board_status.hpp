// What a board says about itself: the retained JSON at `<p>/mqb/status` (docs/WIRE.md, "Status").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mqboard::cli {

struct BoardStatus {
  bool present = false;  // a status was received
  bool valid = false;    // and it is a JSON object
  bool online = false;
  bool v2 = false;                   // speaks the channel protocol
  bool acknowledges_put = false;     // answers v1 puts with "SEQ <n>"
  std::uint64_t session = 0;         // differs after every start of the board; 0: not said
  std::uint32_t channel_window = 0;  // bytes a v2 peer may send before it was heard; 0: not said
  std::uint32_t channel_frame = 0;   // and the largest frame; 0: not said
  std::int64_t made_at_s = 0;        // this status, UTC; of a will, when the board started; 0: not said
  std::string reason;                // why it is offline, e.g. "deep_sleep"; empty: not said
  bool sleeping = false;             // offline for being asleep: it will be back
  std::int64_t wakes_at_s = 0;       // when, UTC; 0: not said
  std::string version;               // of the firmware; empty: not said
  std::string text;                  // the JSON
};

// Ill-formed JSON gives a status that is present and says nothing: such a board is spoken to as v1.
[[nodiscard]] BoardStatus parse_status(std::string_view json);

// The members of a JSON object for people: "firmware.version" and the like with their values as text.
struct StatusField {
  std::string name;
  std::string value;
  std::string json = {};  // the value as JSON; empty: a string
};
[[nodiscard]] std::vector<StatusField> flatten(std::string_view json);

}  // namespace mqboard::cli
