// SHA-256 for tests, and hex.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <vector>

#include "core/command/transfer.hpp"

namespace mqboard::command::testing {

class TestHasher final : public Hasher {
 public:
  TestHasher() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {}
  void reset() override { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void update(Bytes data) override { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }
  Sha256 digest() override {
    Sha256 hash;
    EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr);
    return hash;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

inline Sha256 sha256(Bytes data) {
  TestHasher hasher;
  hasher.reset();
  hasher.update(data);
  return hasher.digest();
}

inline std::vector<std::uint8_t> from_hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes;
  std::string digits;
  for (const char c : hex)
    if (c != ' ' && c != '\n') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return bytes;
}

inline std::string hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace mqboard::command::testing
