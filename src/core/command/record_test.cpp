#include "core/command/record.hpp"

#include <gtest/gtest.h>

#include "core/command/operations.hpp"
#include "core/command/testing/test_hasher.hpp"

namespace mqboard::command {
namespace {

using testing::from_hex;
using testing::hex;
using Buffer = std::vector<std::uint8_t>;

Buffer sample_stream() {
  Buffer bytes(1000);
  Buffer fields(100);
  RecordWriter writer(bytes);
  writer.record(RecordKind::head,
                FieldWriter(fields).text(Field::path, "/a").number(Field::size, 300).written());
  writer.record(RecordKind::output, "hello ");
  writer.record(RecordKind::error, "");
  writer.record(RecordKind::output, "world");
  writer.body();
  bytes.resize(writer.written().size());
  bytes.insert(bytes.end(), {'b', 'o', 'd', 'y'});
  return bytes;
}

// Each record as "kind:payload", pieces joined.
std::string read(Bytes input, std::size_t piece_bytes, std::size_t scratch_bytes = 64) {
  Buffer scratch(scratch_bytes);
  RecordReader reader(scratch);
  std::string seen;
  while (!input.empty()) {
    Bytes piece = input.first(std::min(piece_bytes, input.size()));
    input = input.subspan(piece.size());
    while (const auto record = reader.next(piece)) {
      if (record->first) seen += std::to_string(static_cast<int>(record->kind)) + ":";
      seen += record->kind == RecordKind::head ? hex(record->payload) : std::string(as_text(record->payload));
      if (record->last) seen += "|";
    }
    if (reader.failed()) return seen + "failed";
  }
  return seen + (reader.at_boundary() ? "" : "cut");
}

const std::string kSample =
    "1:0200022f6104000201"
    "2c|3:hello |4:|3:world|127:body";

TEST(Records, AreReadWholeAndByteByByte) {
  const Buffer stream = sample_stream();
  EXPECT_EQ(read(stream, stream.size()), kSample);
  for (std::size_t piece = 1; piece < 40; ++piece) EXPECT_EQ(read(stream, piece), kSample) << piece;
}

TEST(Records, AStreamCutInsideARecordIsNotAtABoundary) {
  const Buffer stream = sample_stream();
  int boundaries = 0;
  for (std::size_t size = 1; size < stream.size(); ++size)
    if (!read(Bytes(stream).first(size), 3).ends_with("cut")) ++boundaries;
  EXPECT_EQ(boundaries, 4 + 4) << "after four records, and anywhere in the body";
}

TEST(Records, AWholeRecordLargerThanScratchFailsOnlyWhenItCameInPieces) {
  Buffer bytes(200);
  RecordWriter writer(bytes);
  writer.record(RecordKind::entry, std::string(100, 'e'));
  EXPECT_EQ(read(writer.written(), 1000, 10), "5:" + std::string(100, 'e') + "|");
  EXPECT_EQ(read(writer.written(), 50, 10), "failed");
  EXPECT_EQ(read(writer.written(), 50, 100), "5:" + std::string(100, 'e') + "|");
}

TEST(Records, OnlyABodyMayHaveTheEndlessLength) {
  EXPECT_EQ(read(from_hex("03ffffff61"), 10), "failed");
  EXPECT_EQ(read(from_hex("7fffffff"), 10), "127:");
  EXPECT_EQ(read(from_hex("7f00000161"), 10), "127:a|") << "a body of known length is a record like others";
  Buffer bytes(10);
  RecordWriter writer(bytes);
  writer.header(RecordKind::output, kBodyLength);
  EXPECT_TRUE(writer.failed());
}

TEST(FieldCoding, NumbersTakeTheShortestWidth) {
  Buffer bytes(100);
  const auto encoded = [&](std::uint64_t value) {
    return hex(FieldWriter(bytes).number(Field::size, value).written());
  };
  EXPECT_EQ(encoded(0), "04000100");
  EXPECT_EQ(encoded(255), "040001ff");
  EXPECT_EQ(encoded(256), "0400020100");
  EXPECT_EQ(encoded(65'536), "04000400010000");
  EXPECT_EQ(encoded(std::uint64_t{1} << 32), "0400080000000100000000");
}

TEST(FieldCoding, FindsFieldsAndChecksTheirShape) {
  const Buffer bytes = from_hex("0400020100 020001ff 0300012f 110000");
  const Fields fields{bytes};
  EXPECT_EQ(fields.number(Field::size), 256u);
  EXPECT_FALSE(fields.text(Field::path)) << "not UTF-8";
  EXPECT_EQ(fields.text(Field::to), "/");
  EXPECT_TRUE(fields.flag(Field::resume));
  EXPECT_FALSE(fields.flag(Field::recursive));
  EXPECT_FALSE(Fields(from_hex("04000301020304")).number(Field::size)) << "three bytes are no number";
}

TEST(FieldCoding, ACutFieldIsNotFound) {
  const Buffer bytes = from_hex("0400020100");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Fields(Bytes(bytes).first(size)).find(Field::size)) << size;
    EXPECT_EQ(Fields(Bytes(bytes).first(size)).well_formed(is_known), size == 0) << size;
  }
}

Buffer request(std::initializer_list<std::string_view> parts) {
  std::string digits;
  for (const auto part : parts) digits += part;
  return from_hex(digits);
}

TEST(Requests, NameAnOperationAndBringWhatItNeeds) {
  const Buffer get = request({"01000110", "0200022f61"});
  const auto parsed = parse_request(get);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->operation, Operation::get);
  EXPECT_EQ(parsed->path(), "/a");
  EXPECT_EQ(name(parsed->operation), "get");
}

TEST(Requests, ThatCannotBeServedSayWhy) {
  const auto code = [](const Buffer& bytes) {
    const auto parsed = parse_request(bytes);
    return parsed ? StatusCode::ok : parsed.error().code;
  };
  EXPECT_EQ(code({}), StatusCode::malformed);
  EXPECT_EQ(code(request({"0100011000"})), StatusCode::malformed) << "trailing bytes";
  EXPECT_EQ(code(request({"01000110"})), StatusCode::malformed) << "get without a path";
  EXPECT_EQ(code(request({"010001ee"})), StatusCode::unsupported) << "unknown operation";
  EXPECT_EQ(code(request({"01000104", "7f0000"})), StatusCode::unsupported) << "unknown critical field";
  EXPECT_EQ(code(request({"01000104", "ff0000"})), StatusCode::ok) << "unknown field one may skip";
  EXPECT_EQ(code(request({"01000110", "020001ff"})), StatusCode::malformed) << "path not UTF-8";
  EXPECT_EQ(code(request({"01000111", "0200022f61", "04000101", "0500020102"})), StatusCode::malformed)
      << "short hash";
}

TEST(Requests, EveryOperationHasAName) {
  int named = 0;
  for (int i = 0; i < 256; ++i)
    if (name(static_cast<Operation>(i)) != "unknown") ++named;
  EXPECT_EQ(named, 25);
}

TEST(StatusCodes, HaveNamesAndFileErrorsMapInOrder) {
  for (int i = 0; i <= static_cast<int>(FsError::io); ++i)
    EXPECT_NE(name(status_code(static_cast<FsError>(i))), "unknown");
  EXPECT_EQ(name(StatusCode::lost), "lost");
  EXPECT_EQ(name(static_cast<StatusCode>(200)), "unknown");
  EXPECT_EQ(file_status(FsError::not_found, "/x").text, "/x: No such file or directory");
}

}  // namespace
}  // namespace mqboard::command
