// The operations a channel carries: one definition for board and CLI (docs/WIRE.md, "Operations").
//
// The opener's stream begins with a head record whose fields are the request: Field::operation and its
// arguments. The acceptor's stream carries what is listed here and ends with the status. Sizes and offsets
// are in bytes. A path is the board's (file_system.hpp). [x] is optional, x* any number of.
//
//   operation     arguments; what else the opener sends       what the acceptor sends
//   ------------  ------------------------------------------  --------------------------------------------
//   eval          [source], [name]; [source], input*          output*, error*, [result]: repr
//   exec          [source], [name], [argument*];              output*, error*
//                 [source], input*, interrupt*
//   repl          -; source, complete, interrupt, input       ready; per source: output*, error*,
//                                                             [result], ready; per complete: result
//   interrupt     -                                           -
//   get           path, [offset, sha256]                      head: size, sha256, modified_s, offset; body
//   put           path, size, sha256, [resume]; [head,] body  [head: offset, sha256 | identical]
//   list          path, [recursive], [hashes]                 entry*: name, kind, size, modified_s, [sha256]
//   stat          path, [hashes]                              head: kind, size, modified_s, [sha256]
//   make_dir      path, [parents]                             -
//   remove        path, [recursive], [missing_ok]             -
//   remove_dir    path                                        -
//   rename        path, to                                    -
//   space         -                                           head: size, free
//   touch         path                                        -
//   info          -                                           result: JSON, the announcement and more
//   reset         mode, [delay]                               - (the status precedes the reset)
//   log_follow    [level], [name], [since_boot]               log*, until cancelled
//   log_level     [name, level]                               entry*: name, level
//   crash_list    -                                           entry*: name, size, modified_s, text
//   crash_get     name                                        head: size; body
//   crash_remove  name, or recursive for all                  -
//   ota_install   size, sha256, [resume]; [head,] body        [head: offset, sha256]
//   ota_status    -                                           result: JSON
//   ota_confirm   -                                           -
//   ota_rollback  -                                           -
//
// eval and exec. The source is a field of up to kMaxSourceField bytes, or one source record of any length up
// to the board's limit, and then no field. eval tries an expression first, then statements, as v1 does; exec
// takes statements only and sets sys.argv to name and arguments. Status: ok, exception, interrupted, crashed,
// or exited after a last head record with the exit status. Cancelling interrupts the code.
//
// put and ota_install. Without `resume` the body follows the request at once, from offset 0: one flight for a
// small file. With `resume` the opener waits for the acceptor's head. `identical`: the target has this
// content already, the opener ends its stream. Else `offset` bytes are on flash and `sha256` is their hash;
// if the opener's own first bytes have the same hash it sends a head with that `offset` and the body from
// there, if not, a head with offset 0 and all of the body. The acceptor hashes what it reads back from
// storage before it answers ok. Cancelling, or losing the channel, keeps what the next attempt can resume.
//
// get. With `offset` and `sha256` the opener has that prefix already; the acceptor's head says with `offset`
// whether the body starts there, the hashes being equal, or at 0.
#pragma once

#include <cstdint>
#include <optional>

#include "core/command/record.hpp"
#include "core/command/transfer.hpp"

namespace mqboard::command {

inline constexpr std::size_t kMaxSourceField = 2048;

// On the wire: never renumber, only add.
enum class Operation : std::uint8_t {
  eval = 1,
  exec = 2,
  repl = 3,
  interrupt = 4,
  get = 16,
  put = 17,
  list = 18,
  stat = 19,
  make_dir = 20,
  remove = 21,
  remove_dir = 22,
  rename = 23,
  space = 24,
  touch = 25,
  info = 32,
  reset = 33,
  log_follow = 34,
  log_level = 35,
  crash_list = 36,
  crash_get = 37,
  crash_remove = 38,
  ota_install = 48,
  ota_status = 49,
  ota_confirm = 50,
  ota_rollback = 51,
};

// A word for people and the capability list, e.g. "make_dir"; "unknown" otherwise.
[[nodiscard]] std::string_view name(Operation operation);

// Ids below 0x80 are critical: whoever does not know one refuses the request as unsupported.
enum class Field : std::uint8_t {
  operation = 1,      // number: Operation
  path = 2,           // text
  to = 3,             // text: path
  size = 4,           // number
  sha256 = 5,         // 32 bytes
  offset = 6,         // number
  source = 7,         // text
  name = 8,           // text
  argument = 9,       // text, may repeat
  level = 10,         // number: logging's 10 20 30 40 50; 0: not set, inherit
  mode = 11,          // number: ResetMode
  delay = 12,         // number, ms
  recursive = 13,     // flag
  parents = 14,       // flag
  missing_ok = 15,    // flag
  hashes = 16,        // flag: SHA-256 of every file
  resume = 17,        // flag
  identical = 18,     // flag
  since_boot = 19,    // flag
  exit = 20,          // number: exit status
  kind = 21,          // number: 0 file, 1 directory
  free = 22,          // number
  modified_s = 0x80,  // number: seconds since 1970
  text = 0x81,        // text for people
};

enum class ResetMode : std::uint8_t { soft = 0, hard = 1, safe = 2, normal = 3 };

// Every critical field of this version.
[[nodiscard]] bool is_known(Field field);

// The parsed head of a request. Views borrow from the record.
struct Request {
  Operation operation = Operation::eval;
  Fields fields{};

  [[nodiscard]] std::optional<Sha256> sha256() const;
  [[nodiscard]] std::string_view path() const { return fields.text(Field::path).value_or(""); }
};

// Checks that the fields the table requires are there and well-formed; else the status to finish with
// (malformed, unsupported for an unknown operation or critical field).
[[nodiscard]] Result<Request, Status> parse_request(Bytes head);

[[nodiscard]] std::optional<Sha256> hash_field(const Fields& fields, Field id = Field::sha256);

// The retained announcement at `<p>/mqb/status` is JSON, composed and read outside core; its keys are in
// docs/WIRE.md.

}  // namespace mqboard::command
