#include <gtest/gtest.h>

#include "port/crypto/ed25519.hpp"
#include "port/crypto/sha256.hpp"

namespace mqboard::port {
namespace {

using Verdict = boot::Verifier::Verdict;

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

TEST(Sha256Test, KnownMessage_HasItsPublishedDigestWholeAndInPieces) {
  const char* const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(hex(sha256(as_bytes("abc"))), expected);
  Sha256Hasher hasher;
  for (int round = 0; round < 2; ++round) {
    hasher.reset();
    for (const char* const piece : {"a", "", "bc"}) hasher.update(as_bytes(piece));
    EXPECT_EQ(hex(hasher.digest()), expected);
  }
}

TEST(Ed25519Test, SignatureOfTrustedKey_IsGoodForItsMessageOnly) {
  PrivateKey key = PrivateKey::generate();
  TrustedKeys trusted;
  trusted.add(PrivateKey::generate().public_key());
  trusted.add(key.public_key());
  const auto signature = key.sign(as_bytes("message"));
  EXPECT_EQ(trusted.verify(key.key_id(), as_bytes("message"), signature), Verdict::good);
  EXPECT_EQ(trusted.verify(key.key_id(), as_bytes("massage"), signature), Verdict::bad_signature);
  auto broken = signature;
  broken[40] ^= 1;
  EXPECT_EQ(trusted.verify(key.key_id(), as_bytes("message"), broken), Verdict::bad_signature);
}

TEST(Ed25519Test, StrangersKey_IsUnknownAlsoUnderATrustedKeysId) {
  PrivateKey key = PrivateKey::generate();
  PrivateKey stranger = PrivateKey::generate();
  TrustedKeys trusted;
  trusted.add(key.public_key());
  const auto signature = stranger.sign(as_bytes("message"));
  EXPECT_EQ(trusted.verify(stranger.key_id(), as_bytes("message"), signature), Verdict::unknown_key);
  EXPECT_EQ(trusted.verify(key.key_id(), as_bytes("message"), signature), Verdict::bad_signature);
}

TEST(Ed25519Test, KeysWrittenAsPem_ReadBackTheSame) {
  PrivateKey key = PrivateKey::generate();
  auto again = PrivateKey::from_pem(key.to_pem());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->public_key(), key.public_key());
  EXPECT_EQ(again->sign(as_bytes("x")), key.sign(as_bytes("x")));
  EXPECT_EQ(public_key_from_pem(public_key_to_pem(key.public_key())), key.public_key());
}

TEST(Ed25519Test, TextThatIsNoKey_IsRefused) {
  const PrivateKey key = PrivateKey::generate();
  EXPECT_FALSE(PrivateKey::from_pem("").has_value());
  EXPECT_FALSE(PrivateKey::from_pem(public_key_to_pem(key.public_key())).has_value());
  EXPECT_FALSE(public_key_from_pem(key.to_pem()).has_value());
  EXPECT_FALSE(
      public_key_from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").has_value());
}

// RFC 8032, section 7.1, TEST 2.
TEST(Ed25519Test, RfcVector_Verifies) {
  const PublicKey key = {0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a,
                         0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4,
                         0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c};
  const boot::Signature signature = {
      0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40,
      0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f, 0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda,
      0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e, 0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c,
      0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a, 0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00};
  TrustedKeys trusted;
  trusted.add(key);
  EXPECT_EQ(trusted.verify(key_id(key), as_bytes("\x72"), signature), Verdict::good);
}

}  // namespace
}  // namespace mqboard::port
