#include "core/command/record.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/utf8.hpp"

namespace mqboard::command {
namespace {

bool comes_whole(RecordKind kind) {
  switch (kind) {
    case RecordKind::head:
    case RecordKind::entry:
    case RecordKind::complete:
    case RecordKind::ready:
      return true;
    default:
      return false;
  }
}

}  // namespace

void RecordWriter::header(RecordKind kind, std::size_t payload_bytes) {
  if (payload_bytes > kBodyLength || (payload_bytes == kBodyLength && kind != RecordKind::body))
    return writer_.fail();
  writer_.u32(static_cast<std::uint32_t>(kind) << 24 | static_cast<std::uint32_t>(payload_bytes));
}

void RecordWriter::record(RecordKind kind, Bytes payload) {
  header(kind, payload.size());
  writer_.bytes(payload);
}

std::optional<RecordReader::Piece> RecordReader::next(Bytes& input) {
  if (failed_ || (!in_record_ && !take_header(input))) return std::nullopt;
  if (comes_whole(kind_)) return take_whole(input);
  const bool empty_body = in_body_ && !began_;  // worth a piece: there is a file, of no bytes so far
  if (input.empty() && left_ != 0 && !empty_body) return std::nullopt;
  const std::size_t count = in_body_ ? input.size() : std::min(left_, input.size());
  Piece piece{.kind = kind_, .payload = input.first(count), .first = !std::exchange(began_, true)};
  input = input.subspan(count);
  if (in_body_) return piece;
  left_ -= count;
  piece.last = left_ == 0;
  in_record_ = !piece.last;
  return piece;
}

// False: more input is needed.
bool RecordReader::take_header(Bytes& input) {
  while (header_bytes_ < kRecordHeaderBytes) {
    if (input.empty()) return false;
    header_[header_bytes_++] = input.front();
    input = input.subspan(1);
  }
  Reader reader(header_);
  const std::uint32_t word = reader.u32();
  kind_ = static_cast<RecordKind>(word >> 24);
  left_ = word & 0xffffff;
  header_bytes_ = 0;
  assembled_ = 0;
  in_record_ = true;
  began_ = false;
  in_body_ = kind_ == RecordKind::body && left_ == kBodyLength;
  failed_ = !in_body_ && left_ == kBodyLength;
  return !failed_;
}

std::optional<RecordReader::Piece> RecordReader::take_whole(Bytes& input) {
  Piece piece{.kind = kind_, .first = true, .last = true};
  if (assembled_ == 0 && input.size() >= left_) {
    piece.payload = input.first(left_);
    input = input.subspan(left_);
    left_ = 0;
    in_record_ = false;
    return piece;
  }
  const std::size_t count = std::min(left_, input.size());
  if (left_ > scratch_.size() - assembled_) {
    failed_ = true;
    return std::nullopt;
  }
  if (count != 0) std::memcpy(scratch_.data() + assembled_, input.data(), count);
  input = input.subspan(count);
  assembled_ += count;
  left_ -= count;
  if (left_ != 0) return std::nullopt;
  in_record_ = false;
  piece.payload = scratch_.first(assembled_);
  return piece;
}

FieldWriter& FieldWriter::bytes(Field id, Bytes value) {
  if (value.size() > 0xffff) return writer_.fail(), *this;
  writer_.u8(static_cast<std::uint8_t>(id));
  writer_.u16(static_cast<std::uint16_t>(value.size()));
  writer_.bytes(value);
  return *this;
}

FieldWriter& FieldWriter::number(Field id, std::uint64_t value) {
  std::uint8_t digits[8];
  Writer all(digits);
  all.u64(value);
  const std::size_t width = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
  return bytes(id, Bytes(digits).last(width));
}

bool Fields::well_formed(bool (*known)(Field)) const {
  Reader reader(payload_);
  while (!reader.failed() && !reader.at_end()) {
    const auto id = static_cast<Field>(reader.u8());
    reader.take(reader.u16());
    if (!reader.failed() && static_cast<std::uint8_t>(id) < 0x80 && !known(id)) return false;
  }
  return !reader.failed();
}

std::optional<Bytes> Fields::find(Field id, std::size_t skip) const {
  Reader reader(payload_);
  while (!reader.failed() && !reader.at_end()) {
    const auto here = static_cast<Field>(reader.u8());
    const Bytes value = reader.take(reader.u16());
    if (!reader.failed() && here == id && skip-- == 0) return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Fields::number(Field id) const {
  const auto value = find(id);
  if (!value) return std::nullopt;
  Reader reader(*value);
  switch (value->size()) {
    case 1:
      return reader.u8();
    case 2:
      return reader.u16();
    case 4:
      return reader.u32();
    case 8:
      return reader.u64();
    default:
      return std::nullopt;
  }
}

std::optional<std::string_view> Fields::text(Field id) const {
  const auto value = find(id);
  if (!value || !is_utf8(*value)) return std::nullopt;
  return as_text(*value);
}

}  // namespace mqboard::command
