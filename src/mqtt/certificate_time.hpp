// Certificates judged by a time that may not be known (RFC 5280, section 6.1.3 (a) (2)).
#pragma once

#include <openssl/ssl.h>

#include <mqboard/mqtt/options.hpp>

namespace mqboard::mqtt {

// Call it before the handshake of a connection that verifies its peer.
void judge_certificates_by(SSL* ssl, const CertificateTime& time);

}  // namespace mqboard::mqtt
