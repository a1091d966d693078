// How an operation ended: one small set of codes for v1 error texts, v2 STATUS frames and the CLI's exit
// status. The numbers are on the wire (docs/WIRE.md, "Status codes"): never renumber, only add.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/file_system.hpp"
#include "core/command/fixed_text.hpp"

namespace mqboard::command {

enum class StatusCode : std::uint8_t {
  ok = 0,
  cancelled = 1,    // the peer asked for it
  malformed = 2,    // the request or a frame breaks the protocol
  unsupported = 3,  // no such operation, version or option here
  busy = 4,         // no channel, stream or interpreter free; try later
  lost = 5,         // the peer restarted and knows nothing of this channel; open it again
  timed_out = 6,    // nothing heard for too long
  refused = 7,      // policy: signature, downgrade, wrong hardware, retained command
  integrity = 8,    // what was stored does not have the hash it should have
  too_large = 9,    // exceeds a limit of the board
  internal = 10,    // a fault of the board's own; the text says which
  not_found = 16,   // the FsErrors, in their order
  exists = 17,
  not_a_directory = 18,
  is_a_directory = 19,
  not_empty = 20,
  no_space = 21,
  access = 22,
  escapes = 23,
  invalid = 24,
  too_long = 25,
  too_many_open = 26,
  io = 27,
  exception = 32,    // Python raised; the text is the traceback's last line
  interrupted = 33,  // KeyboardInterrupt through an operator
  exited = 34,       // SystemExit; the result carries the exit status
  crashed = 35,      // the interpreter died under it and was replaced
};

inline constexpr std::size_t kMaxStatusText = 240;

struct Status {
  StatusCode code = StatusCode::ok;
  FixedText<kMaxStatusText> text;  // one line for a person, naming the thing; UTF-8; may be empty

  Status() = default;
  Status(StatusCode c, std::string_view t) : code(c), text(t) {}
  [[nodiscard]] bool ok() const { return code == StatusCode::ok; }
  bool operator==(const Status&) const = default;
};

// A word for people and JSON, e.g. "not_found". Never null; "unknown" for a number this version does not
// know.
[[nodiscard]] std::string_view name(StatusCode code);

[[nodiscard]] StatusCode status_code(FsError error);
// "<what>: No such file or directory"
[[nodiscard]] Status file_status(FsError error, std::string_view what);

}  // namespace mqboard::command
