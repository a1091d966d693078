#include "cli/slots_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include <fmt/core.h>

#include "cli/board_status.hpp"
#include "cli/progress.hpp"

namespace mqboard::cli {

namespace {

using Words = std::pair<std::string_view, std::string_view>;

constexpr std::array<Words, 4> kStates{{{"new", "installed, the next restart tries it"},
                                        {"trial", "on trial, `mqboard ota confirm` keeps it"},
                                        {"confirmed", "confirmed"},
                                        {"empty", "empty"}}};
constexpr std::array<Words, 6> kReasons{{{"unverifiable", "its signature or content is wrong"},
                                         {"reset", "it was reset before it was confirmed"},
                                         {"watchdog", "it hung, or was not confirmed in time"},
                                         {"crash", "it crashed"},
                                         {"attempts", "it was interrupted too often"},
                                         {"rolled back", "an operator rolled it back"}}};

template<std::size_t Size>
std::string_view in_words(const std::array<Words, Size>& table, std::string_view name) {
  const auto* const found = std::ranges::find(table, name, &Words::first);
  return found == table.end() ? name : found->second;
}

// The members of the document, taken one by one.
class Members {
 public:
  explicit Members(std::string_view json) : fields_(flatten(json)) {}

  std::string take(std::string_view name) {
    const auto found = std::ranges::find(fields_, name, &StatusField::name);
    if (found == fields_.end()) return {};
    std::string value = std::move(found->value);
    fields_.erase(found);
    return value;
  }
  [[nodiscard]] const std::vector<StatusField>& left() const { return fields_; }

 private:
  std::vector<StatusField> fields_;
};

std::string size_text(const std::string& bytes) {
  std::uint64_t number = 0;
  std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
  return number == 0 ? "" : human_bytes(static_cast<double>(number));
}

// "1.1, 6.1 MB, bad: it crashed"
std::string slot_text(Members& members, const std::string& slot) {
  const std::string state = members.take(slot + ".state");
  const std::string reason = members.take(slot + ".reason");
  std::string text = members.take(slot + ".version");
  for (const std::string& part :
       {size_text(members.take(slot + ".bytes")), std::string(in_words(kStates, state))}) {
    if (!part.empty()) text.append(text.empty() ? "" : ", ").append(part);
  }
  if (!reason.empty()) text.append(": ").append(in_words(kReasons, reason));
  members.take(slot + ".security_counter");
  return text;
}

}  // namespace

std::vector<std::string> slots_text(std::string_view json) {
  Members members(json);
  std::vector<std::pair<std::string, std::string>> rows;
  std::string running = members.take("running");
  const std::string kind = members.take("kind");
  if (running == "a" || running == "b") running.insert(0, "slot ");
  if (kind == "trial") running += ", on trial";
  if (kind == "last resort") running += ", for want of a better one";
  rows.emplace_back("runs", running);
  for (const std::string slot : {"a", "b"}) rows.emplace_back("slot " + slot, slot_text(members, slot));
  for (const StatusField& field : members.left()) {
    std::string name = field.name;
    std::ranges::replace(name, '_', ' ');
    rows.emplace_back(std::move(name), field.value);
  }
  std::size_t width = 0;
  for (const auto& [name, value] : rows) width = std::max(width, value.empty() ? 0 : name.size());
  std::vector<std::string> lines;
  for (const auto& [name, value] : rows) {
    if (!value.empty()) lines.push_back(fmt::format("{:<{}}  {}", name, width, value));
  }
  return lines;
}

}  // namespace mqboard::cli
