// SHA-1 (FIPS 180-4) and MD5 (RFC 1321), for Python's hashlib. Not for security.
//
// The state of a running digest is a value: Python keeps it as bytes, so nothing has to be freed.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "python/value.hpp"

namespace mqboard::python {

enum class DigestKind : std::uint8_t { sha1, md5 };

// The state after `data`. An empty `state` is the initial one. Nothing when `state` is none.
std::optional<ByteString> digest_update(DigestKind kind, Bytes state, Bytes data);
// The digest of everything up to `state`: 20 or 16 bytes.
std::optional<ByteString> digest_finish(DigestKind kind, Bytes state);

}  // namespace mqboard::python
