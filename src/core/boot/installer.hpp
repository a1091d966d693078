// Installs a firmware image into the inactive slot, and the operator's other two decisions: confirm and roll
// back. With bootloader.hpp the only place that changes slot records.
//
//   begin → write* → commit        the next start is the new image's trial
//                  → abort         whatever went wrong: the slot is left empty, the running image untouched
//                  → suspend       the slot is left empty too, but what has arrived stays for a later resume
//   resume → go_on → write* → …    behind what an earlier installation left
//          → write* → …            from the beginning, as after begin
//
// Nothing in storage changes before the header has been accepted (format, product, hardware, key, signature,
// security counter). Then the slot's record becomes `empty`, the image is written and synced, read back from
// storage and verified as the bootloader will verify it, and only then recorded as `new`.
#pragma once

#include "core/boot/bootloader.hpp"

namespace mqboard::boot {

// What storage said when an operation of this header failed with ImageError::storage.
struct InstallFailure {
  ImageError error = ImageError::storage;
  std::optional<FsError> storage;
  bool operator==(const InstallFailure&) const = default;
};
template<class Value>
using InstallResult = Result<Value, InstallFailure>;

// The beginning of an image, as it was read from storage.
struct ImagePrefix {
  std::uint64_t bytes = 0;
  Sha256 hash{};
};

class SlotInstaller {
 public:
  // Borrows everything; `tools.scratch` also buffers the read back. Allocates nothing.
  SlotInstaller(SlotStore& slots, const ImagePolicy& policy, const ImageTools& tools)
      : slots_(slots), policy_(policy), tools_(tools) {}
  SlotInstaller(const SlotInstaller&) = delete;
  SlotInstaller& operator=(const SlotInstaller&) = delete;
  ~SlotInstaller() { abort(); }

  // `running` is the image now running. `announced` is the hash of the whole image file when the sender told
  // it beforehand (v1 `ota`); a plain image needs it. Fails with trial_pending while the running image is on
  // trial: its fallback would be overwritten. Abandons an installation in progress.
  InstallResult<void> begin(BootImage running, const std::optional<Sha256>& announced);
  // As begin(), and finds what an earlier installation left, after whatever end it had: at least the header
  // of an image that would be accepted now. 0 bytes: nothing. It is for the caller to compare it with his
  // image; commit() trusts it no more than what arrives.
  InstallResult<ImagePrefix> resume(BootImage running, const std::optional<Sha256>& announced);
  InstallResult<void> go_on();  // behind what resume() found, which was more than nothing
  InstallResult<void> write(Bytes data);
  void suspend();
  // The next start will try exactly this image file: it is installed already. Abandons an installation in
  // progress.
  [[nodiscard]] bool next_is(const Sha256& image);
  // Returns the slot the next start will try.
  InstallResult<SlotId> commit();
  void abort();

  [[nodiscard]] bool active() const { return stage_ != Stage::idle; }
  [[nodiscard]] std::uint64_t bytes() const { return received_; }
  // Of the image being written, once its header is complete; nothing for a plain one.
  [[nodiscard]] const std::optional<ImageHeader>& header() const { return header_; }

 private:
  enum class Stage : std::uint8_t { idle, header, payload };

  InstallResult<void> judge_header();
  InstallResult<void> accept_header();
  InstallResult<void> open_slot();
  [[nodiscard]] std::uint64_t limit() const;
  void start_over();
  FsResult<ImagePrefix> read_stored();
  InstallResult<void> store_bytes(Bytes data);
  InstallResult<VerifiedImage> read_back();
  InstallResult<void> check_announced();
  Failure<InstallFailure> fail(ImageError error);
  Failure<InstallFailure> fail(FsError error);

  SlotStore& slots_;
  const ImagePolicy policy_;
  const ImageTools tools_;

  Stage stage_ = Stage::idle;
  SlotId target_ = SlotId::a;
  std::optional<Sha256> announced_;
  std::optional<ImageHeader> header_;
  std::array<std::uint8_t, kImageHeaderBytes> front_{};
  std::size_t front_bytes_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t found_ = 0;  // by resume(), with its header in front_; 0 once it was decided on
  bool open_ = false;
  FileId file_{};
};

// The slot an installation goes to: never the running one, else the one worth less.
[[nodiscard]] SlotId install_target(const SlotStore& slots, BootImage running);

// The running image has proved itself. Nothing to do for one that is confirmed already or for the factory's.
FsResult<void> confirm(SlotStore& slots, BootImage running);

enum class RollbackError : std::uint8_t {
  nothing_there,  // the other slot holds nothing that was confirmed
  downgrade,      // … but its security counter is below the floor
  storage,
};
std::string_view describe(RollbackError error);

// Marks the running image bad, so that the next start takes the other slot's. The caller then resets.
Result<void, RollbackError> roll_back(SlotStore& slots, BootImage running);

}  // namespace mqboard::boot
