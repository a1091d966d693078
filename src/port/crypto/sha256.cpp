#include "port/crypto/sha256.hpp"

#include <openssl/evp.h>

#include <new>

namespace mqboard::port {
namespace {

// These calls fail for lack of memory only.
void require(int success) {
  if (success != 1) throw std::bad_alloc();
}

}  // namespace

void Sha256Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr ? 1 : 0);
  reset();
}

Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::reset() { require(EVP_DigestInit_ex2(context_.get(), EVP_sha256(), nullptr)); }

void Sha256Hasher::update(Bytes data) { require(EVP_DigestUpdate(context_.get(), data.data(), data.size())); }

Sha256 Sha256Hasher::digest() {
  Sha256 hash{};
  require(EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr));
  return hash;
}

Sha256 Sha256Hasher::so_far() const {
  Sha256Hasher copy;
  require(EVP_MD_CTX_copy_ex(copy.context_.get(), context_.get()));
  return copy.digest();
}

Sha256 sha256(Bytes data) {
  Sha256Hasher hasher;
  hasher.update(data);
  return hasher.digest();
}

}  // namespace mqboard::port
