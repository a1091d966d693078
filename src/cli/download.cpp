#include "cli/download.hpp"

#include <filesystem>
#include <utility>

#include <fmt/core.h>

namespace mqboard::cli {

namespace {

constexpr std::uint64_t kWorthKeeping = 65536;  // bytes; less is sent again faster than it is looked for

}  // namespace

Download::Download(LocalTarget target)
    : target_(std::move(target)), hasher_(std::make_unique<port::Sha256Hasher>()) {}

Result<Download> Download::open(const std::string& path) {
  auto target = LocalTarget::create_resumable(path);
  if (!target) return std::unexpected(target.error());
  Download download(std::move(*target));
  if (auto ok = download.hash_existing(); !ok) return std::unexpected(ok.error());
  if (download.size() == 0) download.offer_old(path);
  return download;
}

Result<> Download::hash_existing() {
  return target_.read_back([this](Bytes data) { hasher_->update(data); });
}

void Download::offer_old(const std::string& path) {
  std::error_code ignored;
  if (path == "-" || !std::filesystem::is_regular_file(path, ignored)) return;
  auto old = LocalSource::open(path);
  if (!old || old->size() == 0) return;
  old_ = std::move(*old);
  hasher_->update(old_->bytes());
}

// More follows what the old file has: the new one begins with a copy of it.
Result<> Download::begin_with_old() {
  if (!old_) return {};
  const auto old = std::exchange(old_, std::nullopt);
  if (port::sha256(old->bytes()) != hasher_->so_far()) {
    return fail(ExitStatus::integrity, "the local file changed while it was being compared");
  }
  return target_.write(old->bytes());
}

Result<> Download::restart() {
  old_.reset();
  hasher_->reset();
  return target_.truncate();
}

Result<> Download::write(Bytes data) {
  if (data.empty()) return {};
  if (auto ok = begin_with_old(); !ok) return ok;
  hasher_->update(data);
  return target_.write(data);
}

void Download::keep_if_resumable(const Failure& failure) {
  const bool lost = failure.status == ExitStatus::no_answer || failure.status == ExitStatus::broker ||
                    failure.status == ExitStatus::interrupted;
  if (lost && target_.size() >= kWorthKeeping) target_.keep();
}

}  // namespace mqboard::cli
