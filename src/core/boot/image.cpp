#include "core/boot/image.hpp"

#include "core/boot/slot_store.hpp"

namespace mqboard::boot {
namespace {

constexpr std::uint16_t kFormatVersion = 1;
constexpr std::size_t kReservedBytes = 24;

struct ErrorText {
  std::string_view name;
  std::string_view text;
};
constexpr ErrorText kErrors[] = {
    {"not_an_image", "not a firmware image"},
    {"malformed", "the image header is malformed or of an unknown format"},
    {"wrong_product", "the image is for another product"},
    {"wrong_hardware", "the image is for other hardware"},
    {"unknown_key", "the image is signed with a key this board does not trust"},
    {"bad_signature", "the image's signature is wrong"},
    {"downgrade", "the image's security counter is below what this board has confirmed"},
    {"too_large", "the image is too large"},
    {"truncated", "the image is shorter than its header says"},
    {"trailing", "the image is longer than its header says"},
    {"hash_mismatch", "what was stored does not have the image's hash"},
    {"hash_missing", "an image without header needs its hash announced"},
    {"not_recorded", "the slot holds another image than its record says"},
    {"trial_pending", "the running firmware is on trial: confirm it or roll it back first"},
    {"storage", "reading or writing the slot failed"},
    {"not_in_progress", "no installation in progress"},
};

// Reads the whole of an open image file: the header into the front of the scratch buffer, the rest through
// it.
class ImageReader {
 public:
  ImageReader(FileSystem& files, FileId file, const ImageTools& tools, PayloadSink* sink)
      : files_(files), file_(file), tools_(tools), sink_(sink) {}

  // The first bytes of the image; fewer than a header when the file is shorter.
  Result<Bytes, ImageError> front() {
    std::size_t used = 0;
    while (used < kImageHeaderBytes) {
      const auto count = files_.read(file_, tools_.scratch.subspan(used, kImageHeaderBytes - used));
      if (!count) return Failure{ImageError::storage};
      if (*count == 0) break;
      used += *count;
    }
    return Bytes{tools_.scratch.first(used)};
  }

  bool payload(Bytes data) {
    tools_.hasher.update(data);
    bytes_ += data.size();
    return sink_ == nullptr || sink_->payload(data);
  }

  // Everything up to the end of the file, or a little more than `limit`.
  Result<void, ImageError> rest(std::uint64_t limit) {
    while (bytes_ <= limit) {
      const auto count = files_.read(file_, tools_.scratch);
      if (!count) return Failure{ImageError::storage};
      if (*count == 0) break;
      if (!payload(tools_.scratch.first(*count))) return Failure{ImageError::storage};
    }
    return {};
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  FileSystem& files_;
  FileId file_;
  const ImageTools& tools_;
  PayloadSink* sink_;
  std::uint64_t bytes_ = 0;
};

Result<VerifiedImage, ImageError> verify_open(ImageReader& reader, const ImagePolicy& policy,
                                              const ImageTools& tools,
                                              const std::optional<PlainImage>& plain) {
  const auto front = reader.front();
  if (!front) return Failure{front.error()};
  VerifiedImage image;
  tools.hasher.reset();
  std::uint64_t expected_bytes = 0;
  Sha256 expected_hash{};
  if (plain) {
    expected_bytes = plain->bytes;
    expected_hash = plain->hash;
    if (!reader.payload(*front)) return Failure{ImageError::storage};
  } else {
    const auto header = check_header(*front, policy, tools.verifier);
    if (!header) return Failure{header.error()};
    image.header = *header;
    expected_bytes = header->payload_bytes;
    expected_hash = header->payload_hash;
  }
  if (const auto read = reader.rest(expected_bytes); !read) return Failure{read.error()};
  if (reader.bytes() < expected_bytes) return Failure{ImageError::truncated};
  if (reader.bytes() > expected_bytes) return Failure{ImageError::trailing};
  image.payload_hash = tools.hasher.digest();
  if (image.payload_hash != expected_hash) return Failure{ImageError::hash_mismatch};
  image.image_bytes = expected_bytes + (plain ? 0 : kImageHeaderBytes);
  return image;
}

}  // namespace

std::string_view describe(ImageError error) { return kErrors[static_cast<std::size_t>(error)].text; }
std::string_view name(ImageError error) { return kErrors[static_cast<std::size_t>(error)].name; }

ImageHeaderBytes encode(const ImageHeader& header) {
  ImageHeaderBytes bytes{};
  Writer writer(bytes);
  writer.text(kImageMagic);
  writer.u16(kFormatVersion);
  writer.u16(kImageHeaderBytes);
  writer.u32(0);
  writer.bytes(header.product.padded());
  writer.bytes(header.hardware.padded());
  writer.bytes(header.version.padded());
  writer.u32(header.security_counter);
  writer.u32(0);
  writer.u64(header.payload_bytes);
  writer.bytes(header.payload_hash);
  writer.bytes(header.key_id);
  writer.bytes(std::array<std::uint8_t, kReservedBytes>{});
  writer.bytes(header.signature);
  return bytes;
}

Result<ImageHeader, ImageError> decode_image_header(Bytes image) {
  if (as_text(image.first(std::min(image.size(), kImageMagic.size()))) != kImageMagic) {
    return Failure{ImageError::not_an_image};
  }
  if (image.size() < kImageHeaderBytes) return Failure{ImageError::truncated};
  const Bytes bytes = image.first(kImageHeaderBytes);
  Reader reader(bytes.subspan(kImageMagic.size() + 8));
  const auto product = Label::decode(reader.take(Label::kBytes));
  const auto hardware = Label::decode(reader.take(Label::kBytes));
  const auto version = Label::decode(reader.take(Label::kBytes));
  if (!product || !hardware || !version) return Failure{ImageError::malformed};
  ImageHeader header{.product = *product, .hardware = *hardware, .version = *version};
  header.security_counter = reader.u32();
  (void)reader.u32();
  header.payload_bytes = reader.u64();
  std::ranges::copy(reader.take(header.payload_hash.size()), header.payload_hash.begin());
  std::ranges::copy(reader.take(header.key_id.size()), header.key_id.begin());
  (void)reader.take(kReservedBytes);
  std::ranges::copy(reader.take(header.signature.size()), header.signature.begin());
  const bool named = !product->empty() && !hardware->empty() && !version->empty();
  if (!named || header.payload_bytes == 0) return Failure{ImageError::malformed};
  // Encoding it again covers the format version, the length, the flags and whatever must be zero.
  if (!std::ranges::equal(encode(header), bytes)) return Failure{ImageError::malformed};
  return header;
}

ImageHeaderBytes sign_header(ImageHeader header, Signer& signer) {
  header.key_id = signer.key_id();
  header.signature = signer.sign(Bytes{encode(header)}.first(kSignedHeaderBytes));
  return encode(header);
}

Result<ImageHeader, ImageError> check_header(Bytes image, const ImagePolicy& policy, Verifier& verifier) {
  const auto header = decode_image_header(image);
  if (!header) return header;
  if (header->product != policy.product) return Failure{ImageError::wrong_product};
  if (header->hardware != policy.hardware) return Failure{ImageError::wrong_hardware};
  if (header->payload_bytes > policy.max_payload_bytes) return Failure{ImageError::too_large};
  switch (verifier.verify(header->key_id, image.first(kSignedHeaderBytes), header->signature)) {
    case Verifier::Verdict::good:
      return header;
    case Verifier::Verdict::unknown_key:
      return Failure{ImageError::unknown_key};
    case Verifier::Verdict::bad_signature:
      break;
  }
  return Failure{ImageError::bad_signature};
}

Result<VerifiedImage, ImageError> verify_image(FileSystem& files, std::string_view path,
                                               const ImagePolicy& policy, const ImageTools& tools,
                                               const std::optional<PlainImage>& plain, PayloadSink* sink) {
  if (plain && !policy.allow_plain) return Failure{ImageError::not_an_image};
  const auto file = files.open(path, OpenMode::read);
  if (!file) return Failure{ImageError::storage};
  ImageReader reader(files, *file, tools, sink);
  const auto verified = verify_open(reader, policy, tools, plain);
  (void)files.close(*file);
  return verified;
}

Result<VerifiedImage, ImageError> verify_slot(FileSystem& files, SlotId slot, const SlotRecord& record,
                                              const ImagePolicy& policy, const ImageTools& tools,
                                              PayloadSink* sink) {
  std::optional<PlainImage> plain;
  if (record.plain) plain = PlainImage{.bytes = record.image_bytes, .hash = record.payload_hash};
  const auto verified = verify_image(files, SlotStore::image_path(slot), policy, tools, plain, sink);
  if (!verified || record.state == SlotState::empty) return verified;
  if (verified->image_bytes != record.image_bytes || verified->payload_hash != record.payload_hash) {
    return Failure{ImageError::not_recorded};
  }
  return verified;
}

}  // namespace mqboard::boot
