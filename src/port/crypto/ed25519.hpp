// Ed25519 keys and signatures by OpenSSL: who may sign firmware images, and signing them.
//
// Key files are PEM, as `openssl genpkey -algorithm ed25519` makes them: PKCS #8 for private keys,
// SubjectPublicKeyInfo for public ones. Not thread-safe.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/boot/image.hpp"

struct evp_pkey_st;

namespace mqboard::port {

using PublicKey = std::array<std::uint8_t, 32>;

// The first 8 bytes of the SHA-256 of the raw key.
[[nodiscard]] boot::KeyId key_id(const PublicKey& key);

class PrivateKey final : public boot::Signer {
 public:
  [[nodiscard]] static PrivateKey generate();
  // Errors are one line for a person.
  [[nodiscard]] static std::expected<PrivateKey, std::string> from_pem(std::string_view pem);

  [[nodiscard]] std::string to_pem() const;
  [[nodiscard]] PublicKey public_key() const;

  boot::KeyId key_id() override;
  boot::Signature sign(Bytes message) override;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit PrivateKey(evp_pkey_st* key) : key_(key) {}
  std::unique_ptr<evp_pkey_st, Free> key_;
};

[[nodiscard]] std::string public_key_to_pem(const PublicKey& key);
[[nodiscard]] std::expected<PublicKey, std::string> public_key_from_pem(std::string_view pem);

// The keys a board trusts.
class TrustedKeys final : public boot::Verifier {
 public:
  void add(const PublicKey& key) { keys_.push_back(key); }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

  Verdict verify(const boot::KeyId& key, Bytes message, const boot::Signature& signature) override;

 private:
  std::vector<PublicKey> keys_;
};

// Adds every public key file (`*.pub`) of a directory. A file that is not a public key is an error: a board
// that silently trusts fewer keys than its owner thinks cannot be updated one day.
std::expected<void, std::string> add_keys_from(FileSystem& files, std::string_view directory,
                                               TrustedKeys& keys);

}  // namespace mqboard::port
