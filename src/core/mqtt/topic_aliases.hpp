// Topic aliases (5.0, section 3.3.2.3.4), one table per direction, valid for one connection. Memory is
// borrowed.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/base/bytes.hpp"

namespace mqboard::mqtt {

class TopicAliases {
 public:
  // `sizes` and `used` have one entry per alias, `text` room for `topic_bytes` each. Without `used` it is the
  // server's table: it does not choose.
  TopicAliases(std::span<std::uint16_t> sizes, MutableBytes text, std::size_t topic_bytes,
               std::span<std::uint32_t> used = {})
      : sizes_(sizes), used_(used), text_(text), topic_bytes_(topic_bytes) {}

  // A new connection: aliases 1..maximum, none of them defined.
  void reset(std::size_t maximum) {
    usable_ = maximum < sizes_.size() ? maximum : sizes_.size();
    uses_ = 0;
    for (std::uint16_t& size : sizes_) size = 0;
    for (std::uint32_t& use : used_) use = 0;
  }

  [[nodiscard]] std::size_t usable() const { return usable_; }

  // The topic of an alias; empty when it is out of range or not defined.
  [[nodiscard]] std::string_view topic(std::uint16_t alias) const {
    if (alias == 0 || alias > usable_) return {};
    return as_text(text_.subspan((alias - 1u) * topic_bytes_, sizes_[alias - 1u]));
  }

  // False: the alias is out of range or the topic too long to be kept.
  bool define(std::uint16_t alias, std::string_view topic) {
    if (alias == 0 || alias > usable_ || topic.size() > topic_bytes_) return false;
    std::memcpy(text_.data() + (alias - 1u) * topic_bytes_, topic.data(), topic.size());
    sizes_[alias - 1u] = static_cast<std::uint16_t>(topic.size());
    return true;
  }

  struct Choice {
    std::uint16_t alias = 0;  // 0: send the topic without one
    bool known = false;       // the peer knows it: the topic may be left out
  };

  // Our side: the alias to send `topic` with, a new one in place of the least recently used. Call use() once
  // the packet is certain to be sent.
  [[nodiscard]] Choice choose(std::string_view topic) const {
    if (topic.size() > topic_bytes_) return {};
    std::uint16_t oldest = 0;
    for (std::size_t i = 0; i < usable_; ++i) {
      const auto alias = static_cast<std::uint16_t>(i + 1);
      if (this->topic(alias) == topic) return {alias, true};
      if (oldest == 0 || used_[i] < used_[oldest - 1u]) oldest = alias;
    }
    return {oldest, false};
  }
  void use(Choice choice, std::string_view topic) {
    if (choice.alias == 0) return;
    if (!choice.known) define(choice.alias, topic);
    used_[choice.alias - 1u] = ++uses_;
  }

 private:
  std::span<std::uint16_t> sizes_;
  std::span<std::uint32_t>
      used_;  // the number of the latest use; after 2^32 of them the choice is a poor one
  MutableBytes text_;
  std::size_t topic_bytes_;
  std::size_t usable_ = 0;
  std::uint32_t uses_ = 0;
};

}  // namespace mqboard::mqtt
