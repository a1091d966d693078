// Messages waiting for their acknowledgement, in chains of small blocks: any order of release, no
// fragmentation.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"
#include "core/mqtt/encoder.hpp"

namespace mqboard::mqtt {

struct Block {
  static constexpr std::size_t kDataBytes = 124;
  std::uint32_t next = 0;
  std::uint8_t data[kDataBytes];
};

class BlockStore {
 public:
  // Blocks are named by index + 1; 0 is no block.
  explicit BlockStore(std::span<Block> blocks) : blocks_(blocks), free_count_(blocks.size()) {}

  [[nodiscard]] std::size_t free_bytes() const { return free_count_ * Block::kDataBytes; }
  static constexpr std::size_t blocks_for(std::size_t bytes) {
    return (bytes + Block::kDataBytes - 1) / Block::kDataBytes;
  }
  [[nodiscard]] bool has_room(std::size_t bytes) const { return blocks_for(bytes) <= free_count_; }

  // Takes blocks as an encoder fills them. Check has_room() first.
  class ChainWriter final : public Segments {
   public:
    explicit ChainWriter(BlockStore& store) : store_(store) {}
    MutableBytes next() override;
    [[nodiscard]] std::uint32_t chain() const { return first_; }

   private:
    BlockStore& store_;
    std::uint32_t first_ = 0;
    std::uint32_t last_ = 0;
  };

  // Copies the first `size` bytes of a chain.
  void copy(std::uint32_t chain, std::size_t size, std::uint8_t* out) const;
  void release(std::uint32_t chain);

  [[nodiscard]] std::size_t chain_blocks(std::uint32_t chain) const;
  [[nodiscard]] std::size_t free_blocks() const { return free_count_; }

 private:
  [[nodiscard]] Block& block(std::uint32_t name) const { return blocks_[name - 1]; }

  std::span<Block> blocks_;
  std::uint32_t free_ = 0;     // the first of those given back
  std::uint32_t touched_ = 0;  // the others were never used: memory nobody needed stays untouched
  std::size_t free_count_ = 0;
};

}  // namespace mqboard::mqtt
