#include "cli/topic_filter.hpp"

#include <algorithm>

namespace mqboard::cli {

bool topic_matches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  while (true) {
    const std::size_t filter_end = std::min(filter.find('/'), filter.size());
    const std::size_t topic_end = std::min(topic.find('/'), topic.size());
    const std::string_view level = filter.substr(0, filter_end);
    if (level == "#") return true;
    if (level != "+" && level != topic.substr(0, topic_end)) return false;
    const bool filter_done = filter_end == filter.size();
    const bool topic_done = topic_end == topic.size();
    if (topic_done) return filter_done || filter.substr(filter_end) == "/#";
    if (filter_done) return false;
    filter.remove_prefix(filter_end + 1);
    topic.remove_prefix(topic_end + 1);
  }
}

}  // namespace mqboard::cli
