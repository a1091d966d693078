#include "core/mqtt/block_store.hpp"

#include <algorithm>
#include <cstring>

namespace mqboard::mqtt {

MutableBytes BlockStore::ChainWriter::next() {
  if (store_.free_count_ == 0) return {};
  --store_.free_count_;
  std::uint32_t name = store_.free_;
  if (name == 0) {
    name = ++store_.touched_;
  } else {
    store_.free_ = store_.block(name).next;
  }
  Block& taken = store_.block(name);
  taken.next = 0;
  if (last_ != 0) store_.block(last_).next = name;
  if (first_ == 0) first_ = name;
  last_ = name;
  return taken.data;
}

void BlockStore::copy(std::uint32_t chain, std::size_t size, std::uint8_t* out) const {
  while (size != 0) {
    const Block& source = block(chain);
    const std::size_t count = std::min(size, Block::kDataBytes);
    std::memcpy(out, source.data, count);
    out += count;
    size -= count;
    chain = source.next;
  }
}

void BlockStore::release(std::uint32_t chain) {
  while (chain != 0) {
    const std::uint32_t rest = block(chain).next;
    block(chain).next = free_;
    free_ = chain;
    ++free_count_;
    chain = rest;
  }
}

std::size_t BlockStore::chain_blocks(std::uint32_t chain) const {
  std::size_t count = 0;
  for (; chain != 0; chain = block(chain).next) ++count;
  return count;
}

}  // namespace mqboard::mqtt
