#include "mqtt/message_queue.hpp"

#include <cassert>
#include <cstring>

namespace mqboard::mqtt {

void MessageQueue::push(const MessageView& message) {
  if (empty()) {
    bytes_.clear();
    head_ = 0;
  } else if (head_ >= capacity_) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  const Bytes properties = message.properties.encoded();
  const Header header{static_cast<std::uint32_t>(message.topic.size()),
                      static_cast<std::uint32_t>(message.payload.size()),
                      static_cast<std::uint32_t>(properties.size()),
                      message.ack,
                      message.qos,
                      message.retained,
                      message.duplicate};
  append(&header, sizeof header);
  append(message.topic.data(), message.topic.size());
  append(message.payload.data(), message.payload.size());
  append(properties.data(), properties.size());
}

MessageView MessageQueue::take() {
  assert(!empty());
  Header header;
  std::memcpy(&header, bytes_.data() + head_, sizeof header);
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(head_ + sizeof header);
  const std::size_t size = std::size_t{header.topic_bytes} + header.payload_bytes + header.property_bytes;
  taken_.assign(begin, begin + static_cast<std::ptrdiff_t>(size));
  head_ += sizeof header + size;
  const std::span<const std::uint8_t> all(taken_);
  const auto topic = all.first(header.topic_bytes);
  return {.topic = {reinterpret_cast<const char*>(topic.data()), topic.size()},
          .payload = all.subspan(header.topic_bytes, header.payload_bytes),
          .qos = header.qos,
          .retained = header.retained,
          .duplicate = header.duplicate,
          .properties = PropertyView(all.last(header.property_bytes)),
          .ack = header.ack};
}

void MessageQueue::append(const void* data, std::size_t size) {
  const auto* const first = static_cast<const std::uint8_t*>(data);
  bytes_.insert(bytes_.end(), first, first + size);
}

}  // namespace mqboard::mqtt
