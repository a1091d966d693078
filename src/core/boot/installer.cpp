#include "core/boot/installer.hpp"

#include "core/base/replace_file.hpp"

namespace mqboard::boot {
namespace {

int worth(SlotState state) {
  switch (state) {
    case SlotState::empty:
      return 0;
    case SlotState::bad:
      return 1;
    case SlotState::fresh:
      return 2;
    case SlotState::trial:
      return 3;
    case SlotState::confirmed:
      return 4;
  }
  return 0;
}

}  // namespace

SlotId install_target(const SlotStore& slots, BootImage running) {
  if (const auto slot = slot_of(running)) return other(*slot);
  const SlotRecord& a = slots.record(SlotId::a);
  const SlotRecord& b = slots.record(SlotId::b);
  if (worth(a.state) != worth(b.state)) return worth(a.state) < worth(b.state) ? SlotId::a : SlotId::b;
  return a.order <= b.order ? SlotId::a : SlotId::b;
}

Failure<InstallFailure> SlotInstaller::fail(ImageError error) {
  abort();
  return Failure{InstallFailure{.error = error, .storage = {}}};
}

Failure<InstallFailure> SlotInstaller::fail(FsError error) {
  abort();
  return Failure{InstallFailure{.error = ImageError::storage, .storage = error}};
}

InstallResult<void> SlotInstaller::begin(BootImage running, const std::optional<Sha256>& announced) {
  abort();
  const auto slot = slot_of(running);
  if (slot && slots_.record(*slot).state == SlotState::trial) return fail(ImageError::trial_pending);
  stage_ = Stage::header;
  target_ = install_target(slots_, running);
  announced_ = announced;
  start_over();
  return {};
}

void SlotInstaller::start_over() {
  header_.reset();
  front_bytes_ = 0;
  received_ = 0;
  found_ = 0;
}

InstallResult<ImagePrefix> SlotInstaller::resume(BootImage running, const std::optional<Sha256>& announced) {
  if (const auto begun = begin(running, announced); !begun) return Failure{begun.error()};
  // A record that says anything else is about an image that was whole.
  if (slots_.record(target_).state != SlotState::empty) return ImagePrefix{};
  const auto stored = read_stored();
  if (!stored || front_bytes_ < front_.size() || !judge_header() || stored->bytes > limit()) {
    start_over();
    return ImagePrefix{};
  }
  found_ = stored->bytes;
  return *stored;
}

InstallResult<void> SlotInstaller::go_on() {
  if (stage_ != Stage::header || found_ == 0) return fail(ImageError::not_in_progress);
  const auto file = slots_.files().open(SlotStore::image_path(target_), OpenMode::write);
  if (!file) return fail(file.error());
  file_ = *file;
  open_ = true;
  const auto end = slots_.files().seek(file_, 0, SeekFrom::end);
  if (!end) return fail(end.error());
  if (*end != found_) return fail(ImageError::not_recorded);
  received_ = found_;
  found_ = 0;
  stage_ = Stage::payload;
  return {};
}

bool SlotInstaller::next_is(const Sha256& image) {
  abort();
  const SlotRecord& a = slots_.record(SlotId::a);
  const SlotRecord& b = slots_.record(SlotId::b);
  target_ = a.state == SlotState::fresh && (b.state != SlotState::fresh || a.order > b.order) ? SlotId::a
                                                                                              : SlotId::b;
  if (slots_.record(target_).state != SlotState::fresh) return false;
  const auto stored = read_stored();
  return stored && stored->hash == image;
}

InstallResult<void> SlotInstaller::write(Bytes data) {
  if (stage_ == Stage::idle) return fail(ImageError::not_in_progress);
  if (found_ != 0) start_over();
  if (stage_ == Stage::header) {
    const std::size_t wanted = std::min(data.size(), front_.size() - front_bytes_);
    std::ranges::copy(data.first(wanted), front_.begin() + static_cast<std::ptrdiff_t>(front_bytes_));
    front_bytes_ += wanted;
    data = data.subspan(wanted);
    if (front_bytes_ < front_.size()) return {};
    if (const auto accepted = accept_header(); !accepted) return accepted;
  }
  return store_bytes(data);
}

// With the front of the image complete, or, for a short plain image, all of it.
InstallResult<void> SlotInstaller::accept_header() {
  if (const auto judged = judge_header(); !judged) return fail(judged.error().error);
  if (const auto opened = open_slot(); !opened) return opened;
  stage_ = Stage::payload;
  return store_bytes(Bytes{front_}.first(front_bytes_));
}

InstallResult<void> SlotInstaller::judge_header() {
  const auto refused = [](ImageError error) {
    return Failure{InstallFailure{.error = error, .storage = {}}};
  };
  const auto header = check_header(Bytes{front_}.first(front_bytes_), policy_, tools_.verifier);
  const bool plain = !header && header.error() == ImageError::not_an_image && policy_.allow_plain;
  if (!header && !plain) return refused(header.error());
  if (plain && !announced_) return refused(ImageError::hash_missing);
  if (!header) return {};
  if (header->security_counter < slots_.security_floor()) return refused(ImageError::downgrade);
  header_ = *header;
  return {};
}

std::uint64_t SlotInstaller::limit() const {
  return header_ ? kImageHeaderBytes + header_->payload_bytes : policy_.max_payload_bytes;
}

InstallResult<void> SlotInstaller::open_slot() {
  const SlotRecord erased{.order = slots_.record(target_).order};
  if (const auto stored = slots_.store(target_, erased); !stored) return fail(stored.error());
  const auto file = slots_.files().open(SlotStore::image_path(target_),
                                        OpenMode::write | OpenMode::create | OpenMode::truncate);
  if (!file) return fail(file.error());
  file_ = *file;
  open_ = true;
  return {};
}

InstallResult<void> SlotInstaller::store_bytes(Bytes data) {
  if (data.size() > limit() - received_) return fail(header_ ? ImageError::trailing : ImageError::too_large);
  if (const auto written = write_all(slots_.files(), file_, data); !written) return fail(written.error());
  received_ += data.size();
  return {};
}

InstallResult<SlotId> SlotInstaller::commit() {
  if (stage_ == Stage::idle) return fail(ImageError::not_in_progress);
  if (found_ != 0) start_over();
  if (stage_ == Stage::header) {
    if (front_bytes_ == 0) return fail(ImageError::truncated);
    if (const auto accepted = accept_header(); !accepted) return Failure{accepted.error()};
  }
  const std::uint64_t expected = header_ ? kImageHeaderBytes + header_->payload_bytes : received_;
  if (received_ < expected) return fail(ImageError::truncated);

  FileSystem& files = slots_.files();
  if (const auto synced = files.sync(file_); !synced) return fail(synced.error());
  open_ = false;
  if (const auto closed = files.close(file_); !closed) return fail(closed.error());
  if (const auto synced = files.sync_directory(SlotStore::directory(target_)); !synced) {
    return fail(synced.error());
  }
  if (const auto checked = check_announced(); !checked) return Failure{checked.error()};
  const auto verified = read_back();
  if (!verified) return Failure{verified.error()};

  SlotRecord installed{.state = SlotState::fresh,
                       .plain = !header_,
                       .order = slots_.next_order(),
                       .image_bytes = verified->image_bytes,
                       .payload_hash = verified->payload_hash};
  if (header_) {
    installed.security_counter = header_->security_counter;
    installed.version = header_->version;
  }
  if (const auto stored = slots_.store(target_, installed); !stored) return fail(stored.error());
  stage_ = Stage::idle;
  return target_;
}

InstallResult<VerifiedImage> SlotInstaller::read_back() {
  std::optional<PlainImage> plain;
  if (!header_) plain = PlainImage{.bytes = received_, .hash = *announced_};
  const auto verified =
      verify_image(slots_.files(), SlotStore::image_path(target_), policy_, tools_, plain, nullptr);
  if (!verified) return fail(verified.error());
  if (verified->header != header_) return fail(ImageError::hash_mismatch);
  return *verified;
}

// The announced hash covers header and payload together.
InstallResult<void> SlotInstaller::check_announced() {
  if (!announced_) return {};
  const auto stored = read_stored();
  if (!stored) return fail(stored.error());
  if (stored->hash != *announced_) return fail(ImageError::hash_mismatch);
  return {};
}

// All of the slot's file; its beginning is kept in front_.
FsResult<ImagePrefix> SlotInstaller::read_stored() {
  FileSystem& files = slots_.files();
  const auto file = files.open(SlotStore::image_path(target_), OpenMode::read);
  if (!file) return Failure{file.error()};
  ImagePrefix stored;
  front_bytes_ = 0;
  tools_.hasher.reset();
  for (;;) {
    const auto count = files.read(*file, tools_.scratch);
    if (!count || *count == 0) {
      (void)files.close(*file);
      if (!count) return Failure{count.error()};
      break;
    }
    const Bytes piece = tools_.scratch.first(*count);
    const Bytes front = piece.first(std::min(piece.size(), front_.size() - front_bytes_));
    std::ranges::copy(front, front_.begin() + static_cast<std::ptrdiff_t>(front_bytes_));
    front_bytes_ += front.size();
    stored.bytes += piece.size();
    tools_.hasher.update(piece);
  }
  stored.hash = tools_.hasher.digest();
  return stored;
}

void SlotInstaller::abort() {
  const bool written = stage_ == Stage::payload;
  suspend();
  if (written) (void)slots_.files().remove_file(SlotStore::image_path(target_));
}

// The record says `empty` already; what is there of the image only takes room.
void SlotInstaller::suspend() {
  if (open_) (void)slots_.files().close(file_);
  open_ = false;
  stage_ = Stage::idle;
}

FsResult<void> confirm(SlotStore& slots, BootImage running) {
  const auto slot = slot_of(running);
  if (!slot || slots.record(*slot).state == SlotState::confirmed) return {};
  SlotRecord record = slots.record(*slot);
  record.state = SlotState::confirmed;
  record.reason = BadReason::none;
  record.attempts = 0;
  return slots.store(*slot, record);
}

std::string_view describe(RollbackError error) {
  switch (error) {
    case RollbackError::nothing_there:
      return "there is no confirmed firmware to go back to";
    case RollbackError::downgrade:
      return "the other firmware's security counter is too low to go back to";
    case RollbackError::storage:
      break;
  }
  return "writing the slot record failed";
}

Result<void, RollbackError> roll_back(SlotStore& slots, BootImage running) {
  const auto slot = slot_of(running);
  if (!slot) return Failure{RollbackError::nothing_there};
  const SlotRecord& previous = slots.record(other(*slot));
  if (previous.state != SlotState::confirmed) return Failure{RollbackError::nothing_there};
  if (previous.security_counter < slots.security_floor()) return Failure{RollbackError::downgrade};
  SlotRecord record = slots.record(*slot);
  record.state = SlotState::bad;
  record.reason = BadReason::rolled_back;
  if (!slots.store(*slot, record)) return Failure{RollbackError::storage};
  return {};
}

}  // namespace mqboard::boot
