#include "mqtt/certificate_time.hpp"

#include <openssl/x509.h>

namespace mqboard::mqtt {
namespace {

// What begins after the earliest time that it can be may have begun by now.
int may_have_begun(int ok, X509_STORE_CTX* verification) {
  if (ok == 1) return 1;
  const int error = X509_STORE_CTX_get_error(verification);
  if (error != X509_V_ERR_CERT_NOT_YET_VALID && error != X509_V_ERR_CRL_NOT_YET_VALID) return 0;
  X509_STORE_CTX_set_error(verification, X509_V_OK);
  return 1;
}

}  // namespace

void judge_certificates_by(SSL* ssl, const CertificateTime& time) {
  X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), time.now.time_since_epoch().count());
  if (!time.known) SSL_set_verify(ssl, SSL_get_verify_mode(ssl), may_have_begun);
}

}  // namespace mqboard::mqtt
