#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "core/boot/image.hpp"
#include "core/boot/sealed.hpp"
#include "core/boot/slot_record.hpp"

namespace mqboard::boot {
namespace {

constexpr RecordFormat kFormat{.magic = 0x12345678, .version = 3};

TEST(SealedTest, SealedRecord_HasItsDocumentedBytes) {
  std::array<std::uint8_t, 64> place{};
  const Bytes sealed = seal(place, kFormat, 7, as_bytes("abc"));
  const std::vector<std::uint8_t> expected = {0x12, 0x34, 0x56, 0x78, 0, 3, 0, 3, 0, 0, 0, 7, 'a', 'b', 'c'};
  ASSERT_EQ(sealed.size(), expected.size() + 4);
  EXPECT_TRUE(std::ranges::equal(sealed.first(expected.size()), expected));
}

TEST(SealedTest, Record_ReadsBackAloneAndWithTrailingBytes) {
  std::array<std::uint8_t, 64> place{};
  const Bytes sealed = seal(place, kFormat, 7, as_bytes("abc"));
  for (const Bytes bytes : {sealed, Bytes{place}}) {
    const auto record = unseal(bytes, kFormat);
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->sequence, 7u);
    EXPECT_EQ(as_text(record->payload), "abc");
  }
}

TEST(SealedTest, CutOrSpoiledRecord_IsNone) {
  std::array<std::uint8_t, 64> place{};
  const Bytes sealed = seal(place, kFormat, 7, as_bytes("abc"));
  for (std::size_t size = 0; size < sealed.size(); ++size) EXPECT_FALSE(unseal(sealed.first(size), kFormat));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::vector<std::uint8_t> spoiled(sealed.begin(), sealed.end());
    spoiled[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(unseal(spoiled, kFormat)) << bit;
  }
  EXPECT_FALSE(unseal(sealed, {.magic = kFormat.magic, .version = 4}));
}

TEST(SealedTest, RecordTooLargeForItsPlace_IsNotWritten) {
  std::array<std::uint8_t, kSealBytes + 2> place{};
  EXPECT_TRUE(seal(place, kFormat, 1, as_bytes("abc")).empty());
  EXPECT_FALSE(seal(place, kFormat, 1, as_bytes("ab")).empty());
}

TEST(SealedTest, Alternation_KeepsTheNewerCopyAndOverwritesTheOther) {
  const auto none = alternate({});
  EXPECT_FALSE(none.current);
  EXPECT_EQ(none.next_sequence, 1u);
  const auto first = alternate({Unsealed{.sequence = 5}, std::nullopt});
  EXPECT_EQ(first.current, 0u);
  EXPECT_EQ(first.next, 1u);
  const auto second = alternate({Unsealed{.sequence = 5}, Unsealed{.sequence = 6}});
  EXPECT_EQ(second.current, 1u);
  EXPECT_EQ(second.next, 0u);
  EXPECT_EQ(second.next_sequence, 7u);
}

TEST(LabelTest, Text_IsPrintableAsciiOfAtMost32Bytes) {
  EXPECT_EQ(Label::make("1.2.3-rc1")->view(), "1.2.3-rc1");
  EXPECT_EQ(Label::make(std::string(32, 'x'))->view().size(), 32u);
  EXPECT_FALSE(Label::make(std::string(33, 'x')));
  EXPECT_FALSE(Label::make("a b"));
  EXPECT_FALSE(Label::make("\xc3\xa4"));
  EXPECT_EQ(Label::decode(Label::make("abc")->padded()), Label::make("abc"));
  std::array<std::uint8_t, 32> padded{'a', 0, 'b'};
  EXPECT_FALSE(Label::decode(padded));
}

SlotRecord sample_record() {
  SlotRecord record{.state = SlotState::trial,
                    .reason = BadReason::none,
                    .attempts = 2,
                    .plain = true,
                    .order = 0x01020304,
                    .security_counter = 5,
                    .security_floor = 6,
                    .image_bytes = 0x0102030405060708,
                    .version = *Label::make("1.2")};
  std::iota(record.payload_hash.begin(), record.payload_hash.end(), std::uint8_t{100});
  return record;
}

TEST(SlotRecordTest, EncodedRecord_DecodesToItselfAndOnlyWhole) {
  const auto bytes = encode(sample_record());
  EXPECT_EQ(decode_slot_record(bytes), sample_record());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_slot_record(Bytes{bytes}.first(size)));
  }
  std::vector<std::uint8_t> longer(bytes.begin(), bytes.end());
  longer.push_back(0);
  EXPECT_FALSE(decode_slot_record(longer));
}

TEST(SlotRecordTest, EncodedRecord_HasItsDocumentedLayout) {
  const auto bytes = encode(sample_record());
  const std::vector<std::uint8_t> head = {2, 0, 2, 1, 1, 2, 3, 4, 0, 0, 0, 5,
                                          0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_TRUE(std::ranges::equal(Bytes{bytes}.first(head.size()), head));
  EXPECT_EQ(bytes[24], 100);
  EXPECT_EQ(as_text(Bytes{bytes}.subspan(56, 3)), "1.2");
}

TEST(SlotRecordTest, UnknownEnumerators_AreRefused) {
  for (const std::size_t field : {0u, 1u, 3u}) {
    auto bytes = encode(sample_record());
    bytes[field] = 99;
    EXPECT_FALSE(decode_slot_record(bytes)) << field;
  }
}

class FakeSigner final : public Signer, public Verifier {
 public:
  KeyId key_id() override { return {1, 2, 3}; }
  Signature sign(Bytes message) override {
    Signature signature{};
    for (std::size_t i = 0; i < message.size(); ++i)
      signature[i % 64] ^= static_cast<std::uint8_t>(message[i] + i);
    return signature;
  }
  Verdict verify(const KeyId& key, Bytes message, const Signature& signature) override {
    if (key != key_id()) return Verdict::unknown_key;
    return signature == sign(message) ? Verdict::good : Verdict::bad_signature;
  }
};

ImageHeader sample_header() {
  ImageHeader header{.product = *Label::make("mqboard"),
                     .hardware = *Label::make("linux-x86_64"),
                     .version = *Label::make("1.2.3"),
                     .security_counter = 7,
                     .payload_bytes = 1000};
  header.payload_hash.fill(0xab);
  return header;
}

ImagePolicy sample_policy() {
  return {.product = *Label::make("mqboard"), .hardware = *Label::make("linux-x86_64")};
}

TEST(ImageHeaderTest, EncodedHeader_HasItsDocumentedLayout) {
  FakeSigner signer;
  const auto bytes = sign_header(sample_header(), signer);
  EXPECT_EQ(as_text(Bytes{bytes}.first(8)), "MQBIMAGE");
  const std::vector<std::uint8_t> fixed = {0, 1, 1, 0, 0, 0, 0, 0};
  EXPECT_TRUE(std::ranges::equal(Bytes{bytes}.subspan(8, 8), fixed));
  EXPECT_EQ(as_text(Bytes{bytes}.subspan(16, 7)), "mqboard");
  EXPECT_EQ(as_text(Bytes{bytes}.subspan(48, 12)), "linux-x86_64");
  EXPECT_EQ(as_text(Bytes{bytes}.subspan(80, 5)), "1.2.3");
  EXPECT_EQ(bytes[115], 7);
  EXPECT_EQ(bytes[126], 1000 >> 8);
  EXPECT_EQ(bytes[128], 0xab);
  EXPECT_EQ(bytes[160], 1);
  EXPECT_EQ(bytes[168], 0);
}

TEST(ImageHeaderTest, Header_DecodesWholeAndWithPayloadBehindIt) {
  FakeSigner signer;
  const auto bytes = sign_header(sample_header(), signer);
  std::vector<std::uint8_t> image(bytes.begin(), bytes.end());
  EXPECT_TRUE(decode_image_header(image).has_value());
  image.resize(image.size() + 100);
  const auto header = decode_image_header(image);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->version.view(), "1.2.3");
  EXPECT_EQ(header->payload_bytes, 1000u);
  for (std::size_t size = 0; size < kImageHeaderBytes; ++size) {
    const auto cut = decode_image_header(Bytes{image}.first(size));
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error(), size < 8 ? ImageError::not_an_image : ImageError::truncated);
  }
}

TEST(ImageHeaderTest, AnyFlippedBit_IsRefused) {
  FakeSigner signer;
  const auto bytes = sign_header(sample_header(), signer);
  ASSERT_TRUE(check_header(bytes, sample_policy(), signer).has_value());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto spoiled = bytes;
    spoiled[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(check_header(spoiled, sample_policy(), signer).has_value()) << bit;
  }
}

TEST(ImageHeaderTest, HeaderNotForThisBoard_SaysWhy) {
  FakeSigner signer;
  const auto error = [&](auto change) {
    ImageHeader header = sample_header();
    change(header);
    return check_header(sign_header(header, signer), sample_policy(), signer).error();
  };
  EXPECT_EQ(error([](ImageHeader& h) { h.product = *Label::make("toaster"); }), ImageError::wrong_product);
  EXPECT_EQ(error([](ImageHeader& h) { h.hardware = *Label::make("esp32"); }), ImageError::wrong_hardware);
  EXPECT_EQ(error([](ImageHeader& h) { h.payload_bytes = std::uint64_t{1} << 40; }), ImageError::too_large);
  EXPECT_EQ(error([](ImageHeader& h) { h.payload_bytes = 0; }), ImageError::malformed);
  EXPECT_EQ(error([](ImageHeader& h) { h.version = {}; }), ImageError::malformed);
  ImageHeader foreign = sample_header();
  foreign.key_id = {9};
  EXPECT_EQ(check_header(encode(foreign), sample_policy(), signer).error(), ImageError::unknown_key);
}

}  // namespace
}  // namespace mqboard::boot
