// The local end of a get: a file that is replaced when everything has arrived, or standard output.
//
// What has arrived so far stays in `.<name>.mqb-part` beside the file when the transfer is cut short, even by
// SIGKILL, and the next get of the same name goes on from there. Without that, the file there now is offered
// as a beginning: nothing is fetched that is here, and nothing is written when it is identical. Two gets of
// one name do not disturb each other: the second uses a temporary of its own.
#pragma once

#include <optional>
#include <string>

#include "cli/board.hpp"
#include "cli/local_file.hpp"
#include "port/crypto/sha256.hpp"

namespace mqboard::cli {

class Download final : public ContentSink {
 public:
  [[nodiscard]] static Result<Download> open(const std::string& path);
  Download(Download&&) noexcept = default;

  [[nodiscard]] std::uint64_t size() const override { return old_ ? old_->size() : target_.size(); }
  [[nodiscard]] Sha256 hash() const override { return hasher_->so_far(); }
  Result<> restart() override;
  Result<> write(Bytes data) override;

  // The content is complete: it appears under its name.
  [[nodiscard]] Result<> commit() { return old_ ? Result<>{} : target_.commit(); }
  // The transfer ended with this failure: keep what is there if a later one can go on from it.
  void keep_if_resumable(const Failure& failure);

 private:
  explicit Download(LocalTarget target);
  Result<> hash_existing();
  void offer_old(const std::string& path);
  Result<> begin_with_old();

  LocalTarget target_;
  std::optional<LocalSource> old_;  // the file there now, as long as it may be all that is wanted
  std::unique_ptr<port::Sha256Hasher> hasher_;
};

}  // namespace mqboard::cli
