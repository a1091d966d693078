// What a power cut leaves on the medium of a FaultyFlash.
#include <algorithm>

#include "core/base/random.hpp"
#include "port/sim/faulty_flash.hpp"

namespace mqboard::port::sim {
namespace {

using Content = std::vector<std::uint8_t>;

// Calls visit(offset, bytes) for each piece of a write that lies in one page.
template<class Visit>
void for_each_page(std::uint64_t offset, const Content& data, Visit visit) {
  for (std::size_t done = 0; done < data.size();) {
    const std::uint64_t at = offset + done;
    const std::size_t count = std::min<std::size_t>(kFlashPage - at % kFlashPage, data.size() - done);
    visit(at, Bytes{data}.subspan(done, count));
    done += count;
  }
}

void put(Content& content, std::uint64_t offset, Bytes data) {
  content.resize(std::max<std::size_t>(content.size(), offset + data.size()));
  std::ranges::copy(data, content.begin() + static_cast<std::ptrdiff_t>(offset));
}

// Fills the page that `offset` is in with garbage, as far as there is content or would have been.
void spoil_page(Content& content, std::uint64_t offset, std::size_t count, Random& random) {
  content.resize(std::max<std::size_t>(content.size(), offset + count));
  const std::size_t start = offset / kFlashPage * kFlashPage;
  const std::size_t end = std::min<std::size_t>(content.size(), start + kFlashPage);
  const bool erased = random.one_in(2);
  for (std::size_t i = start; i < end; ++i) {
    content[i] = erased ? 0xff : static_cast<std::uint8_t>(random.next());
  }
}

}  // namespace

std::string_view name(Damage damage) {
  constexpr std::string_view kNames[] = {"lost", "torn", "reordered"};
  return kNames[static_cast<std::size_t>(damage)];
}

bool FaultyFlash::depends(const NameChange& later, const NameChange& earlier) {
  const auto same = [](const std::optional<Entry>& a, const std::optional<Entry>& b) { return a && a == b; };
  return same(later.removed, earlier.removed) || same(later.removed, earlier.added) ||
         same(later.added, earlier.removed) || same(later.added, earlier.added);
}

void FaultyFlash::make_durable(const NameChange& change) {
  if (change.removed) nodes_[change.removed->directory].durable_names.erase(change.removed->name);
  if (change.added) nodes_[change.added->directory].durable_names[change.added->name] = change.node;
}

void FaultyFlash::power_on(Damage damage, std::uint64_t seed) {
  Random random(seed);
  settle_names(damage, random);
  for (NodeState& node : nodes_) {
    if (damage == Damage::torn) tear(node, random);
    if (damage == Damage::reordered) reorder(node, random);
    node.changes.clear();
  }
  drop_unreachable();
  for (NodeState& node : nodes_) {
    node.content = node.durable_content;
    node.names = node.durable_names;
  }
  handles_.clear();
  operations_ = 0;
  cut_at_ = 0;
  fail_at_ = 0;
  off_ = false;
}

// `torn` keeps the first few changes, `reordered` any whose predecessors are kept.
void FaultyFlash::settle_names(Damage damage, Random& random) {
  const std::size_t first_lost = damage == Damage::torn ? random.below(name_changes_.size() + 1) : 0;
  std::vector<bool> kept(name_changes_.size());
  for (std::size_t i = 0; i < name_changes_.size(); ++i) {
    kept[i] = i < first_lost || (damage == Damage::reordered && random.one_in(2));
    for (std::size_t j = 0; j < i; ++j) {
      if (!kept[j] && depends(name_changes_[i], name_changes_[j])) kept[i] = false;
    }
    if (kept[i]) make_durable(name_changes_[i]);
  }
  name_changes_.clear();
}

// Some changes whole, the next one up to a byte of it or with a garbage page there, the rest not at all.
void FaultyFlash::tear(NodeState& node, Random& random) {
  const std::size_t torn = random.below(node.changes.size() + 1);
  for (std::size_t i = 0; i < torn; ++i) apply(node.durable_content, node.changes[i]);
  if (torn == node.changes.size() || node.changes[torn].truncates) return;
  const Change& change = node.changes[torn];
  std::uint64_t whole = random.below(change.data.size() + 1);
  for_each_page(change.offset, change.data, [&](std::uint64_t offset, Bytes data) {
    const auto count = std::min<std::uint64_t>(whole, data.size());
    whole -= count;
    if (count == 0) return;
    put(node.durable_content, offset, data.first(count));
    if (count < data.size() && random.one_in(2))
      spoil_page(node.durable_content, offset, data.size(), random);
  });
}

void FaultyFlash::reorder(NodeState& node, Random& random) {
  for (const Change& change : node.changes) {
    if (change.truncates) {
      if (random.one_in(2)) apply(node.durable_content, change);
      continue;
    }
    for_each_page(change.offset, change.data, [&](std::uint64_t offset, Bytes data) {
      if (random.one_in(8)) return spoil_page(node.durable_content, offset, data.size(), random);
      if (random.one_in(2)) put(node.durable_content, offset, data);
    });
  }
}

void FaultyFlash::drop_unreachable() {
  std::vector<NodeState> reached{nodes_[0]};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    // Copied, for `reached` grows meanwhile.
    Names names = reached[i].durable_names;
    for (auto& [entry, node] : names) {
      reached.push_back(nodes_[node]);
      node = reached.size() - 1;
    }
    reached[i].durable_names = std::move(names);
  }
  nodes_ = std::move(reached);
}

}  // namespace mqboard::port::sim
