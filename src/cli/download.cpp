#include "cli/download.hpp"

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
  return download;
}

Result<> Download::hash_existing() {
  return target_.read_back([this](Bytes data) { hasher_->update(data); });
}

Result<> Download::restart() {
  hasher_->reset();
  return target_.truncate();
}

Result<> Download::write(Bytes data) {
  hasher_->update(data);
  return target_.write(data);
}

void Download::keep_if_resumable(const Failure& failure) {
  const bool lost = failure.status == ExitStatus::no_answer || failure.status == ExitStatus::broker ||
                    failure.status == ExitStatus::interrupted;
  if (lost && target_.size() >= kWorthKeeping) target_.keep();
}

}  // namespace mqboard::cli
