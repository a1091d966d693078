#include "boot/slot_loader.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

namespace mqboard::boot {
namespace {

// Linux 6.3; an older kernel's memory is executable anyway.
constexpr unsigned kMfdExec = 0x0010;

port::Fd executable_memory() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  port::Fd fd(::memfd_create("mqboardd", kFlags | kMfdExec));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create("mqboardd", kFlags));
  return fd;
}

class MemorySink final : public PayloadSink {
 public:
  explicit MemorySink(int fd) : fd_(fd) {}

  bool payload(Bytes data) override {
    while (!data.empty()) {
      const ssize_t count = ::write(fd_, data.data(), data.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      data = data.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

 private:
  int fd_;
};

}  // namespace

Result<VerifiedImage, ImageError> SlotLoader::load(SlotId slot, const SlotRecord& record) {
  port::Fd memory = executable_memory();
  if (!memory) return Failure{ImageError::storage};
  MemorySink sink(memory.get());
  const auto verified = verify_slot(files_, slot, record, policy_, {hasher_, keys_, scratch_}, &sink);
  if (!verified) return verified;
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(memory.get(), F_ADD_SEALS, seals) != 0) return Failure{ImageError::storage};
  executable_ = std::move(memory);
  return verified;
}

}  // namespace mqboard::boot
