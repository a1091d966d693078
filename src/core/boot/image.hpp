// Firmware images: a signed header of 256 bytes, then the payload, the firmware's executable (docs/BOOT.md,
// "Image format").
//
// Big endian. The signature covers bytes 0 to 191; the payload is bound by its hash.
//
//     0  u8[8]   magic "MQBIMAGE"
//     8  u16     format version, 1
//    10  u16     header length, 256
//    12  u32     flags, 0
//    16  text32  product
//    48  text32  hardware kind
//    80  text32  version
//   112  u32     security counter
//   116  u32     0
//   120  u64     payload length, at least 1
//   128  u8[32]  SHA-256 of the payload
//   160  u8[8]   key id: the first 8 bytes of the SHA-256 of the raw Ed25519 public key
//   168  u8[24]  0
//   192  u8[64]  Ed25519 signature (RFC 8032, PureEdDSA)
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "core/base/file_system.hpp"
#include "core/base/hasher.hpp"
#include "core/boot/label.hpp"
#include "core/boot/slot_record.hpp"

namespace mqboard::boot {

inline constexpr std::size_t kImageHeaderBytes = 256;
inline constexpr std::size_t kSignedHeaderBytes = 192;
inline constexpr std::string_view kImageMagic = "MQBIMAGE";

using KeyId = std::array<std::uint8_t, 8>;
using Signature = std::array<std::uint8_t, 64>;
using ImageHeaderBytes = std::array<std::uint8_t, kImageHeaderBytes>;

// Why an image is not accepted.
enum class ImageError : std::uint8_t {
  not_an_image,     // does not begin with the magic, and plain images are not allowed
  malformed,        // the header breaks the format or is of an unknown version
  wrong_product,    //
  wrong_hardware,   //
  unknown_key,      // signed by nobody this board trusts
  bad_signature,    //
  downgrade,        // its security counter is below what this board has confirmed
  too_large,        // more than the board accepts
  truncated,        // shorter than the header says
  trailing,         // longer than the header says
  hash_mismatch,    // what storage holds is not what was signed or announced
  hash_missing,     // a plain image without announced hash
  not_recorded,     // whole and signed, but not the image the slot's record speaks of
  trial_pending,    // the running firmware is on trial: confirm or roll back first
  storage,          // reading or writing failed; the FsError beside it says how
  not_in_progress,  // a call out of order
};
// One line for a person, e.g. "the image is for other hardware".
std::string_view describe(ImageError error);
// The enumerator's name, for logs and JSON.
std::string_view name(ImageError error);

struct ImageHeader {
  Label product{};
  Label hardware{};
  Label version{};
  std::uint32_t security_counter = 0;
  std::uint64_t payload_bytes = 0;
  Sha256 payload_hash{};
  KeyId key_id{};
  Signature signature{};

  bool operator==(const ImageHeader&) const = default;
};

[[nodiscard]] ImageHeaderBytes encode(const ImageHeader& header);

// Accepts exactly what encode() makes. Fails with not_an_image, malformed or truncated. What follows the
// header is ignored.
[[nodiscard]] Result<ImageHeader, ImageError> decode_image_header(Bytes image);

// Ed25519 as core sees it; implemented outside core.
class Verifier {
 public:
  enum class Verdict : std::uint8_t { good, bad_signature, unknown_key };
  virtual Verdict verify(const KeyId& key, Bytes message, const Signature& signature) = 0;

 protected:
  ~Verifier() = default;
};

class Signer {
 public:
  virtual KeyId key_id() = 0;
  virtual Signature sign(Bytes message) = 0;

 protected:
  ~Signer() = default;
};

// Fills in key id and signature.
[[nodiscard]] ImageHeaderBytes sign_header(ImageHeader header, Signer& signer);

// What this board accepts.
struct ImagePolicy {
  Label product{};
  Label hardware{};
  bool allow_plain = false;  // images without header: v1 `ota` from the original's tools
  std::uint64_t max_payload_bytes = 256 * 1024 * 1024;
};

// The header and its signature, in the order of the checks: format, product, hardware, size, key, signature.
[[nodiscard]] Result<ImageHeader, ImageError> check_header(Bytes image, const ImagePolicy& policy,
                                                           Verifier& verifier);

// Receives the payload of an image being verified. Nothing received may be used before verification has
// succeeded. Answers false to give up.
class PayloadSink {
 public:
  virtual bool payload(Bytes data) = 0;

 protected:
  ~PayloadSink() = default;
};

// What verification needs from outside. Borrowed.
struct ImageTools {
  Hasher& hasher;
  Verifier& verifier;
  MutableBytes scratch;  // at least kImageHeaderBytes; larger is faster
};

// What an image file was found to be. For a plain image (`header` empty) everything is payload.
struct VerifiedImage {
  std::optional<ImageHeader> header{};
  std::uint64_t image_bytes = 0;
  Sha256 payload_hash{};
};

// Reads the image file from storage and verifies it: header, signature, length, hash. A plain image is as
// long and has the hash that `plain` says; nothing else vouches for it.
struct PlainImage {
  std::uint64_t bytes = 0;
  Sha256 hash{};
};
Result<VerifiedImage, ImageError> verify_image(FileSystem& files, std::string_view path,
                                               const ImagePolicy& policy, const ImageTools& tools,
                                               const std::optional<PlainImage>& plain, PayloadSink* sink);

// Verifies that a slot holds the image its record speaks of; for an empty slot, that it holds any.
Result<VerifiedImage, ImageError> verify_slot(FileSystem& files, SlotId slot, const SlotRecord& record,
                                              const ImagePolicy& policy, const ImageTools& tools,
                                              PayloadSink* sink);

}  // namespace mqboard::boot
