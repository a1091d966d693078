// What is inside a channel's streams: records, and fields inside some of them (docs/WIRE.md, "Records").
//
//   record  u8 kind, u24 length, payload      a BODY record has length 0xffffff: the rest of the stream is
//   its payload field   u8 id, u16 length, value          in head, entry and result records, one after the
//   other
//
// Numbers in fields are big endian in 1, 2, 4 or 8 bytes, the shortest that fits. A reader skips fields it
// does not know when their id has bit 7 set and refuses the record otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/command/status.hpp"

namespace mqboard::command {

inline constexpr std::size_t kRecordHeaderBytes = 4;
inline constexpr std::uint32_t kBodyLength = 0xffffff;
inline constexpr std::size_t kMaxFieldRecord = 4096;  // length of a head, entry or result with fields

enum class RecordKind : std::uint8_t {
  head = 1,  // fields: the request, first in the opener's stream; the answer, first in the acceptor's, if any
  input = 2,      // bytes for the standard input of what runs
  output = 3,     // bytes of its standard output
  error = 4,      // bytes of its standard error, tracebacks included
  entry = 5,      // fields: one item of a listing
  result = 6,     // text: repr of a value, a traceback, a JSON document
  source = 7,     // Python source to run
  ready = 8,      // repl: fields; the interpreter waits for source
  interrupt = 9,  // repl, exec: empty; raise KeyboardInterrupt
  complete = 10,  // repl: text; asks for the names that continue it, answered by one result: a name per line
  log = 11,       // log follow: text, one line
  body = 127,     // the content of a file or image, up to the end of the stream
};

// Writes records into a buffer. A record that does not fit sets failed(), as with Writer.
class RecordWriter {
 public:
  explicit RecordWriter(MutableBytes into) : writer_(into) {}

  void record(RecordKind kind, Bytes payload);
  void record(RecordKind kind, std::string_view text) { record(kind, as_bytes(text)); }
  // Only the header: the payload follows in the stream from elsewhere.
  void header(RecordKind kind, std::size_t payload_bytes);
  void body() { header(RecordKind::body, kBodyLength); }

  [[nodiscard]] bool failed() const { return writer_.failed(); }
  [[nodiscard]] Bytes written() const { return writer_.written(); }

 private:
  Writer writer_;
};

// Cuts a stream, arriving in any pieces, into records.
//
// head, entry, complete and ready records come whole, borrowed from the input when they lie in one
// piece and else assembled in `scratch`; longer than scratch is an error. All others come in pieces as they
// arrive.
class RecordReader {
 public:
  explicit RecordReader(MutableBytes scratch) : scratch_(scratch) {}

  struct Piece {
    RecordKind kind = RecordKind::head;
    Bytes payload{};     // borrowed until the next call or the end of the input's life
    bool first = false;  // begins its record
    bool last = false;   // ends it; never true for a body
  };
  // Takes bytes off the front of `input` and returns the next piece; nothing when input is used up or
  // failed().
  std::optional<Piece> next(Bytes& input);

  [[nodiscard]] bool failed() const { return failed_; }
  // The stream may end here: between records, or in a body.
  [[nodiscard]] bool at_boundary() const {
    return !failed_ && ((header_bytes_ == 0 && left_ == 0) || in_body_);
  }

 private:
  bool take_header(Bytes& input);
  std::optional<Piece> take_whole(Bytes& input);

  MutableBytes scratch_;
  std::uint8_t header_[kRecordHeaderBytes]{};
  std::uint8_t header_bytes_ = 0;
  bool in_record_ = false;
  bool in_body_ = false;
  bool began_ = false;
  bool failed_ = false;
  RecordKind kind_ = RecordKind::head;
  std::size_t left_ = 0;       // payload bytes still to come
  std::size_t assembled_ = 0;  // of a whole record, in scratch
};

// ---- fields

enum class Field : std::uint8_t;  // operations.hpp

class FieldWriter {
 public:
  explicit FieldWriter(MutableBytes into) : writer_(into) {}

  FieldWriter& bytes(Field id, Bytes value);
  FieldWriter& text(Field id, std::string_view value) { return bytes(id, as_bytes(value)); }
  FieldWriter& number(Field id, std::uint64_t value);
  FieldWriter& flag(Field id) { return bytes(id, {}); }  // present means yes

  [[nodiscard]] bool failed() const { return writer_.failed(); }
  [[nodiscard]] Bytes written() const { return writer_.written(); }

 private:
  Writer writer_;
};

// Looks fields up in a record's payload. The first of several with one id counts, unless a later is asked
// for.
class Fields {
 public:
  Fields() = default;
  explicit Fields(Bytes payload) : payload_(payload) {}

  // The whole payload is fields, none critical beyond those `known` says yes to.
  [[nodiscard]] bool well_formed(bool (*known)(Field)) const;

  [[nodiscard]] std::optional<Bytes> find(Field id,
                                          std::size_t skip = 0) const;  // passes over `skip` of them
  [[nodiscard]] bool flag(Field id) const { return find(id).has_value(); }
  [[nodiscard]] std::optional<std::uint64_t> number(Field id) const;   // nothing unless 1, 2, 4 or 8 bytes
  [[nodiscard]] std::optional<std::string_view> text(Field id) const;  // nothing unless UTF-8

 private:
  Bytes payload_;
};

}  // namespace mqboard::command
