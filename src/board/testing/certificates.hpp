// Certificates for tests, made on the spot with keys of P-256.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>
#include <utility>

#include "board/tls_credentials.hpp"

namespace mqboard::board::testing {

struct Identity {
  OpenSslPtr<EVP_PKEY> key;
  OpenSslPtr<X509> certificate;

  std::string certificate_pem() const {
    return text([&](BIO* out) { PEM_write_bio_X509(out, certificate.get()); });
  }
  std::string key_pem() const {
    return text(
        [&](BIO* out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }
  std::string certificate_der() const {
    return text([&](BIO* out) { i2d_X509_bio(out, certificate.get()); });
  }
  std::string key_der() const {
    return text([&](BIO* out) { i2d_PKCS8PrivateKeyInfo_bio(out, key.get()); });
  }

 private:
  template<class Write>
  static std::string text(Write write) {
    const OpenSslPtr<BIO> out(BIO_new(BIO_s_mem()));
    write(out.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
};

inline void extend(X509* certificate, X509* issuer, int what, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// A root, or (names empty) a client, or a server: names as "DNS:a,IP:b". Valid until so many seconds from
// now.
inline Identity make_identity(const char* common_name, const Identity* issuer, const char* names,
                              long until_s = 3600) {
  Identity made{OpenSslPtr<EVP_PKEY>(EVP_EC_gen("P-256")), OpenSslPtr<X509>(X509_new())};
  X509* const certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  X509* const above = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(above));
  if (issuer == nullptr) extend(certificate, above, NID_basic_constraints, "critical,CA:TRUE");
  if (names != nullptr) extend(certificate, above, NID_subject_alt_name, names);
  X509_sign(certificate, issuer != nullptr ? issuer->key.get() : made.key.get(), EVP_sha256());
  return made;
}

}  // namespace mqboard::board::testing
