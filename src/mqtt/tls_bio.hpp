// Lets OpenSSL read and write a Transport.
#pragma once

#include <openssl/bio.h>

#include "mqtt/transport.hpp"

namespace mqboard::mqtt {

// What a BIO works on and reports back; outlives the BIO.
struct BioLink {
  Transport* below = nullptr;
  Errc read_error{};     // of the transport, when OpenSSL reports a system error
  Errc write_error{};    // likewise; OpenSSL believes to be blocked then, so that it can still read
  bool drained = false;  // the last read took all there was
};

BIO* make_transport_bio(BioLink* link);

}  // namespace mqboard::mqtt
