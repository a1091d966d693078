// Arbitrary streams through the record reader, whole and in pieces: both must see the same records; requests
// parse or are refused; the log ring recovers from any memory.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/command/operations.hpp"

namespace {

using namespace mqboard;
using namespace mqboard::command;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Seen {
  std::string text;
  bool failed = false;
  bool boundary = false;
  bool operator==(const Seen&) const = default;
};

Seen read_in_pieces(Bytes input, std::size_t piece_bytes) {
  std::uint8_t scratch[256];
  RecordReader reader(scratch);
  Seen seen;
  while (!input.empty() && !reader.failed()) {
    Bytes piece = input.first(std::min(piece_bytes, input.size()));
    input = input.subspan(piece.size());
    while (const auto record = reader.next(piece)) {
      if (record->first) seen.text += "[" + std::to_string(static_cast<int>(record->kind)) + ":";
      seen.text += as_text(record->payload);
      if (record->last) seen.text += "]";
      if (record->kind == RecordKind::head) static_cast<void>(parse_request(record->payload));
    }
  }
  seen.failed = reader.failed();
  seen.boundary = reader.at_boundary();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  if (const auto request = parse_request(input)) require(name(request->operation) != "unknown");
  const Seen bytewise = read_in_pieces(input, 1);
  require(read_in_pieces(input, 7) == bytewise || bytewise.failed);
  const Seen whole = read_in_pieces(input, size + 1);
  require(whole == bytewise || bytewise.failed);
  return 0;
}
