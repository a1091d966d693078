#include "port/linux/flash.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <limits>

#include "port/linux/beneath.hpp"

namespace mqboard::port {
namespace {

constexpr std::size_t kMaxOpenFiles = 0xffff;

Failure<FsError> last_error() { return Failure{fs_error(errno)}; }

// Repeats a system call that a signal interrupted.
template<class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::uint64_t cost(std::uint64_t size_bytes) {
  if (size_bytes > std::numeric_limits<std::uint64_t>::max() - kFlashBlock) return size_bytes;
  return std::max(kFlashBlock, (size_bytes + kFlashBlock - 1) / kFlashBlock * kFlashBlock);
}

FsResult<struct stat> status(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return last_error();
  return info;
}

bool is_ours(const struct stat& info) { return S_ISREG(info.st_mode) || S_ISDIR(info.st_mode); }

FileInfo file_info(const struct stat& info) {
  return {.kind = S_ISDIR(info.st_mode) ? FileInfo::Kind::directory : FileInfo::Kind::file,
          .size_bytes = S_ISDIR(info.st_mode) ? 0 : static_cast<std::uint64_t>(info.st_size),
          .modified_s = info.st_mtim.tv_sec,
          .inode = info.st_ino};
}

FsResult<void> refuse_all_but_files(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return Failure{FsError::is_a_directory};
  if (!S_ISREG(info.st_mode)) return Failure{FsError::access};
  return {};
}

// Succeeds when `relative` is a regular file.
FsResult<void> look(int root, const std::string& relative) {
  const auto fd = open_beneath(root, relative, O_PATH);
  if (!fd) return Failure{fd.error()};
  const auto info = status(fd->get());
  if (!info) return Failure{info.error()};
  return refuse_all_but_files(*info);
}

// O_TRUNC is left out: what is opened must be known to be a file before it is changed.
FsResult<int> open_flags(OpenMode mode) {
  const bool reads = has(mode, OpenMode::read);
  const bool writes = has(mode, OpenMode::write);
  if (!reads && !writes) return Failure{FsError::invalid};
  if (!writes && (has(mode, OpenMode::truncate) || has(mode, OpenMode::append)))
    return Failure{FsError::invalid};
  int flags = O_NONBLOCK | O_NOCTTY | (writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY);
  if (has(mode, OpenMode::append)) flags |= O_APPEND;
  if (has(mode, OpenMode::create)) flags |= O_CREAT | (has(mode, OpenMode::exclusive) ? O_EXCL : 0);
  return flags;
}

// One open directory being read; entries are handed out with what they are after following links.
class OpenDirectory {
 public:
  explicit OpenDirectory(Fd fd) : stream_(::fdopendir(fd.get())) {
    if (stream_ != nullptr) (void)fd.release();
  }
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;
  ~OpenDirectory() {
    if (stream_ != nullptr) ::closedir(stream_);
  }

  explicit operator bool() const { return stream_ != nullptr; }
  [[nodiscard]] int fd() const { return ::dirfd(stream_); }

  // nullptr at the end; `failed` is set when that was an error.
  const dirent* next(bool& failed) {
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(stream_);
      if (entry == nullptr) {
        failed = errno != 0;
        return nullptr;
      }
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return entry;
    }
  }

 private:
  DIR* stream_;
};

// What the tree below `fd` costs. Links and special files cost nothing; a file with two names counts twice.
FsResult<std::uint64_t> tree_cost(Fd fd) {
  OpenDirectory directory(std::move(fd));
  if (!directory) return last_error();
  std::uint64_t total = 0;
  bool failed = false;
  while (const dirent* const entry = directory.next(failed)) {
    struct stat info {};
    if (::fstatat(directory.fd(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(info.st_mode)) total += cost(static_cast<std::uint64_t>(info.st_size));
    if (!S_ISDIR(info.st_mode)) continue;
    total += kFlashBlock;
    auto child = open_beneath(directory.fd(), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child) continue;
    const auto below = tree_cost(std::move(*child));
    if (!below) return below;
    total += *below;
  }
  if (failed) return last_error();
  return total;
}

}  // namespace

FsResult<std::unique_ptr<LinuxFlash>> LinuxFlash::open_root(const std::string& root, const Options& options) {
  Fd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return last_error();
  std::unique_ptr<LinuxFlash> flash(new LinuxFlash(std::move(fd), options));
  auto tree = flash->resolve(".", O_RDONLY | O_DIRECTORY);
  if (!tree) return Failure{tree.error()};
  if (options.capacity_bytes != 0) {
    const auto used = tree_cost(std::move(*tree));
    if (!used) return Failure{used.error()};
    flash->used_bytes_ = *used;
  }
  return flash;
}

LinuxFlash::LinuxFlash(Fd root, const Options& options)
    : root_(std::move(root)), options_(options), files_(std::min(options.max_open_files, kMaxOpenFiles)) {}

FsResult<Fd> LinuxFlash::resolve(std::string_view path, int flags) const {
  const auto relative = relative_path(path);
  if (!relative) return Failure{relative.error()};
  return open_beneath(root_.get(), *relative, flags);
}

// A FileId is generation << 16 | index.
FsResult<int> LinuxFlash::descriptor(FileId file) const {
  const auto id = static_cast<std::uint32_t>(file);
  const std::lock_guard lock(mutex_);
  const std::size_t index = id & 0xffff;
  if (index >= files_.size() || !files_[index].fd || files_[index].generation != id >> 16) {
    return Failure{FsError::invalid};
  }
  return files_[index].fd.get();
}

FsResult<FileId> LinuxFlash::keep(Fd fd, const struct ::stat& info) {
  const auto slot = std::ranges::find_if(files_, [](const OpenFile& file) { return !file.fd; });
  if (slot == files_.end()) return Failure{FsError::too_many_open};
  slot->fd = std::move(fd);
  slot->device = info.st_dev;
  slot->inode = info.st_ino;
  slot->generation = (slot->generation + 1) & 0x7fff;
  return FileId{slot->generation << 16 | static_cast<std::int32_t>(slot - files_.begin())};
}

FsResult<FileId> LinuxFlash::open(std::string_view path, OpenMode mode) {
  const auto flags = open_flags(mode);
  if (!flags) return Failure{flags.error()};
  const auto relative = relative_path(path);
  if (!relative) return Failure{relative.error()};
  if (path.ends_with('/')) return Failure{FsError::is_a_directory};
  const std::lock_guard lock(mutex_);
  if (std::ranges::all_of(files_, [](const OpenFile& file) { return static_cast<bool>(file.fd); })) {
    return Failure{FsError::too_many_open};
  }
  // Opening a device may already do something: look first. O_NONBLOCK and the second look cover the race.
  const auto before = look(root_.get(), *relative);
  if (!before && before.error() != FsError::not_found) return Failure{before.error()};
  if (before && has(mode, OpenMode::create) && has(mode, OpenMode::exclusive))
    return Failure{FsError::exists};
  const bool creates = !before && has(mode, OpenMode::create);
  if (creates && limited() && free_bytes() < kFlashBlock) return Failure{FsError::no_space};

  auto fd = open_beneath(root_.get(), *relative, *flags, 0666);
  if (!fd) return Failure{fd.error()};
  const auto info = status(fd->get());
  if (!info) return Failure{info.error()};
  if (const auto checked = refuse_all_but_files(*info); !checked) return Failure{checked.error()};
  if (creates && limited()) used_bytes_ += kFlashBlock;
  if (has(mode, OpenMode::truncate) && info->st_size != 0) {
    if (::ftruncate(fd->get(), 0) != 0) return last_error();
    if (limited()) (void)reserve(static_cast<std::uint64_t>(info->st_size), 0);
  }
  return keep(std::move(*fd), *info);
}

FsResult<std::size_t> LinuxFlash::read(FileId file, MutableBytes into) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  const ssize_t count = uninterrupted([&] { return ::read(*fd, into.data(), into.size()); });
  if (count < 0) return errno == EBADF ? Failure{FsError::access} : last_error();
  return static_cast<std::size_t>(count);
}

FsResult<std::size_t> LinuxFlash::write(FileId file, Bytes data) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  if (data.empty()) return 0;
  if (limited()) return write_limited(*fd, data);
  const ssize_t count = uninterrupted([&] { return ::write(*fd, data.data(), data.size()); });
  if (count < 0) return errno == EBADF ? Failure{FsError::access} : last_error();
  if (count == 0) return Failure{FsError::io};
  return static_cast<std::size_t>(count);
}

FsResult<std::size_t> LinuxFlash::write_limited(int fd, Bytes data) {
  const std::lock_guard lock(mutex_);
  const auto info = status(fd);
  if (!info) return Failure{info.error()};
  const auto old_size = static_cast<std::uint64_t>(info->st_size);
  const bool appends = (::fcntl(fd, F_GETFL) & O_APPEND) != 0;
  const off_t offset = ::lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
  if (offset < 0) return last_error();
  const auto start = static_cast<std::uint64_t>(offset);

  // The file may grow to the end of its last block and through the free ones.
  const std::uint64_t limit = cost(old_size) + free_bytes();
  if (start >= limit) return Failure{FsError::no_space};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), limit - start));
  const ssize_t count = uninterrupted([&] { return ::write(fd, data.data(), wanted); });
  if (count < 0) return errno == EBADF ? Failure{FsError::access} : last_error();
  if (count == 0) return Failure{FsError::io};
  const std::uint64_t end = start + static_cast<std::uint64_t>(count);
  if (end > old_size) (void)reserve(old_size, end);
  return static_cast<std::size_t>(count);
}

FsResult<std::uint64_t> LinuxFlash::seek(FileId file, std::int64_t offset, SeekFrom from) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  const int whence = from == SeekFrom::start ? SEEK_SET : from == SeekFrom::current ? SEEK_CUR : SEEK_END;
  const off_t position = ::lseek(*fd, offset, whence);
  if (position < 0) return last_error();
  return static_cast<std::uint64_t>(position);
}

FsResult<void> LinuxFlash::truncate(FileId file, std::uint64_t size_bytes) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  if (size_bytes > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
    return Failure{FsError::invalid};
  const std::lock_guard lock(mutex_);
  const auto info = status(*fd);
  if (!info) return Failure{info.error()};
  const auto old_size = static_cast<std::uint64_t>(info->st_size);
  if (limited()) {
    if (const auto reserved = reserve(old_size, size_bytes); !reserved) return reserved;
  }
  if (uninterrupted([&] { return ::ftruncate(*fd, static_cast<off_t>(size_bytes)); }) == 0) return {};
  const int error = errno;
  if (limited()) (void)reserve(size_bytes, old_size);
  // EINVAL is how Linux says that the file is not open for writing.
  return Failure{error == EINVAL ? FsError::access : fs_error(error)};
}

FsResult<void> LinuxFlash::sync(FileId file) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  if (uninterrupted([&] { return ::fdatasync(*fd); }) != 0) return last_error();
  if (options_.read_from_medium) (void)::posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

FsResult<FileInfo> LinuxFlash::stat(FileId file) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  const auto info = status(*fd);
  if (!info) return Failure{info.error()};
  return file_info(*info);
}

FsResult<void> LinuxFlash::close(FileId file) {
  const auto fd = descriptor(file);
  if (!fd) return Failure{fd.error()};
  const std::lock_guard lock(mutex_);
  OpenFile& slot = files_[static_cast<std::uint32_t>(file) & 0xffff];
  const Fd closing = std::move(slot.fd);
  if (limited()) release_if_gone(closing.get());
  return {};
}

FsResult<FileInfo> LinuxFlash::stat(std::string_view path) {
  const auto fd = resolve(path, O_PATH);
  if (!fd) return Failure{fd.error()};
  const auto info = status(fd->get());
  if (!info) return Failure{info.error()};
  if (!is_ours(*info)) return Failure{FsError::access};
  return file_info(*info);
}

FsResult<void> LinuxFlash::list(std::string_view directory, DirectoryVisitor& visitor) {
  auto fd = resolve(directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return Failure{fd.error()};
  OpenDirectory open(std::move(*fd));
  if (!open) return last_error();
  bool failed = false;
  while (const dirent* const entry = open.next(failed)) {
    struct stat info {};
    if (::fstatat(open.fd(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;  // removed meanwhile
    if (S_ISLNK(info.st_mode)) {
      std::string path(directory);
      path.append("/").append(entry->d_name);
      const auto target = resolve(path, O_PATH);
      if (!target || ::fstat(target->get(), &info) != 0) continue;
    }
    if (is_ours(info) && !visitor.entry(entry->d_name, file_info(info))) return {};
  }
  if (failed) return last_error();
  return {};
}

FsResult<void> LinuxFlash::make_directory(std::string_view path) {
  const auto place = place_beneath(root_.get(), path);
  if (!place)
    return Failure{place.error() == FsError::invalid && stat(path) ? FsError::exists : place.error()};
  const std::lock_guard lock(mutex_);
  if (limited() && free_bytes() < kFlashBlock) return Failure{FsError::no_space};
  if (::mkdirat(place->directory.get(), place->name.c_str(), 0777) != 0) return last_error();
  if (limited()) used_bytes_ += kFlashBlock;
  return {};
}

FsResult<void> LinuxFlash::remove_file(std::string_view path) {
  const auto place = place_beneath(root_.get(), path);
  if (!place) return Failure{place.error() == FsError::invalid ? FsError::is_a_directory : place.error()};
  const std::lock_guard lock(mutex_);
  const Fd doomed(::openat(place->directory.get(), place->name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (::unlinkat(place->directory.get(), place->name.c_str(), 0) != 0) return last_error();
  if (limited() && doomed) release_if_gone(doomed.get());
  return {};
}

FsResult<void> LinuxFlash::remove_directory(std::string_view path) {
  const auto place = place_beneath(root_.get(), path);
  if (!place) return Failure{place.error()};
  const std::lock_guard lock(mutex_);
  if (::unlinkat(place->directory.get(), place->name.c_str(), AT_REMOVEDIR) != 0) return last_error();
  if (limited()) used_bytes_ -= std::min(used_bytes_, kFlashBlock);
  return {};
}

FsResult<void> LinuxFlash::rename(std::string_view from, std::string_view to) {
  const auto source = place_beneath(root_.get(), from);
  if (!source) return Failure{source.error()};
  const auto target = place_beneath(root_.get(), to);
  if (!target) return Failure{target.error()};
  const std::lock_guard lock(mutex_);
  const Fd replaced(::openat(target->directory.get(), target->name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (::renameat(source->directory.get(), source->name.c_str(), target->directory.get(),
                 target->name.c_str()) != 0) {
    return last_error();
  }
  if (limited() && replaced) release_if_gone(replaced.get());
  return {};
}

FsResult<void> LinuxFlash::sync_directory(std::string_view path) {
  const auto fd = resolve(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return Failure{fd.error()};
  if (uninterrupted([&] { return ::fsync(fd->get()); }) != 0) return last_error();
  return {};
}

FsResult<FlashSpace> LinuxFlash::space() {
  const auto fd = resolve(".", O_RDONLY | O_DIRECTORY);
  if (!fd) return Failure{fd.error()};
  struct statvfs disk {};
  if (::fstatvfs(fd->get(), &disk) != 0) return last_error();
  const std::uint64_t total = static_cast<std::uint64_t>(disk.f_blocks) * disk.f_frsize;
  const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (!limited()) return FlashSpace{total, free};
  const std::lock_guard lock(mutex_);
  return FlashSpace{options_.capacity_bytes, std::min(free, free_bytes())};
}

std::uint64_t LinuxFlash::free_bytes() const {
  return options_.capacity_bytes - std::min(used_bytes_, options_.capacity_bytes);
}

bool LinuxFlash::is_open(const struct ::stat& info) const {
  return std::ranges::any_of(files_, [&](const OpenFile& file) {
    return file.fd && file.inode == info.st_ino && file.device == info.st_dev;
  });
}

FsResult<void> LinuxFlash::reserve(std::uint64_t old_size, std::uint64_t new_size) {
  const std::uint64_t before = cost(old_size);
  const std::uint64_t after = cost(new_size);
  if (after > before && after - before > free_bytes()) return Failure{FsError::no_space};
  used_bytes_ = used_bytes_ + after - std::min(before, used_bytes_ + after);
  return {};
}

// Gives back what the file behind `fd` costs once neither a name nor a FileId holds it.
void LinuxFlash::release_if_gone(int fd) {
  const auto info = status(fd);
  if (!info || !is_ours(*info) || info->st_nlink != 0 || is_open(*info)) return;
  const std::uint64_t size = S_ISREG(info->st_mode) ? static_cast<std::uint64_t>(info->st_size) : 0;
  used_bytes_ -= std::min(used_bytes_, cost(size));
}

}  // namespace mqboard::port
