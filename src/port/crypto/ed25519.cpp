#include "port/crypto/ed25519.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <new>

#include "core/base/replace_file.hpp"
#include "port/crypto/sha256.hpp"

namespace mqboard::port {
namespace {

constexpr std::size_t kMaxKeyFile = 8192;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// For calls that fail for lack of memory only.
void require(bool success) {
  if (!success) throw std::bad_alloc();
}

Bio reading(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  require(bio != nullptr);
  return bio;
}

Bio writing() {
  Bio bio(BIO_new(BIO_s_mem()));
  require(bio != nullptr);
  return bio;
}

std::string written(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// A private key file must not ask for a pass phrase on the terminal.
int no_pass_phrase(char*, int, int, void*) { return -1; }

PublicKey raw_public_key(const EVP_PKEY* key) {
  PublicKey raw{};
  std::size_t size = raw.size();
  require(EVP_PKEY_get_raw_public_key(key, raw.data(), &size) == 1);
  return raw;
}

}  // namespace

boot::KeyId key_id(const PublicKey& key) {
  const Sha256 hash = sha256(key);
  boot::KeyId id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

void PrivateKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

PrivateKey PrivateKey::generate() {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  require(key != nullptr);
  return PrivateKey(key);
}

std::expected<PrivateKey, std::string> PrivateKey::from_pem(std::string_view pem) {
  const Bio bio = reading(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (key == nullptr) return std::unexpected("not an unencrypted private key in PEM form");
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) return std::unexpected("not an Ed25519 key");
  return PrivateKey(key.release());
}

std::string PrivateKey::to_pem() const {
  const Bio bio = writing();
  require(PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return written(bio);
}

PublicKey PrivateKey::public_key() const { return raw_public_key(key_.get()); }

boot::KeyId PrivateKey::key_id() { return port::key_id(public_key()); }

boot::Signature PrivateKey::sign(Bytes message) {
  const Context context(EVP_MD_CTX_new());
  boot::Signature signature{};
  std::size_t size = signature.size();
  require(context != nullptr);
  require(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key_.get(), nullptr) == 1);
  require(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
  return signature;
}

std::string public_key_to_pem(const PublicKey& key) {
  const Key pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
  require(pkey != nullptr);
  const Bio bio = writing();
  require(PEM_write_bio_PUBKEY(bio.get(), pkey.get()) == 1);
  return written(bio);
}

std::expected<PublicKey, std::string> public_key_from_pem(std::string_view pem) {
  const Bio bio = reading(pem);
  const Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (key == nullptr) return std::unexpected("not a public key in PEM form");
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) return std::unexpected("not an Ed25519 key");
  return raw_public_key(key.get());
}

boot::Verifier::Verdict TrustedKeys::verify(const boot::KeyId& id, Bytes message,
                                            const boot::Signature& signature) {
  for (const PublicKey& trusted : keys_) {
    if (key_id(trusted) != id) continue;
    const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, trusted.data(), trusted.size()));
    const Context context(EVP_MD_CTX_new());
    require(key != nullptr && context != nullptr);
    require(EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) ==
            1);
    const int good =
        EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size());
    return good == 1 ? Verdict::good : Verdict::bad_signature;
  }
  return Verdict::unknown_key;
}

std::expected<void, std::string> add_keys_from(FileSystem& files, std::string_view directory,
                                               TrustedKeys& keys) {
  struct Names final : DirectoryVisitor {
    std::vector<std::string> found;
    bool entry(std::string_view name, const FileInfo& info) override {
      if (info.kind == FileInfo::Kind::file && name.ends_with(".pub")) found.emplace_back(name);
      return true;
    }
  } names;
  if (const auto listed = files.list(directory, names); !listed) {
    return std::unexpected(std::string(directory) + ": " + std::string(describe(listed.error())));
  }
  for (const std::string& name : names.found) {
    const std::string path = std::string(directory) + "/" + name;
    std::array<std::uint8_t, kMaxKeyFile> buffer;
    const auto text = read_file(files, path, buffer);
    if (!text) return std::unexpected(path + ": " + std::string(describe(text.error())));
    const auto key = public_key_from_pem(as_text(*text));
    if (!key) return std::unexpected(path + ": " + key.error());
    keys.add(*key);
  }
  return {};
}

}  // namespace mqboard::port
