// SHA-256 by OpenSSL behind core's Hasher.
#pragma once

#include <memory>

#include "core/base/hasher.hpp"

struct evp_md_ctx_st;

namespace mqboard::port {

class Sha256Hasher final : public Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  void reset() override;
  void update(Bytes data) override;
  Sha256 digest() override;
  // The hash of what was updated so far; more may follow.
  [[nodiscard]] Sha256 so_far() const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

[[nodiscard]] Sha256 sha256(Bytes data);

}  // namespace mqboard::port
